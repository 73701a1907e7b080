// Sign-in and registration.
import { useEffect, useState } from "preact/hooks";

import { codeOf, heddle } from "../api";
import { isDevelopment } from "../preferences";
import { navigate, route } from "../route";
import { server, sessionEnded } from "../store/session";
import { t } from "../text";
import { Card, Field, mode, sendsMail, serverName, Summary, unverified, useForm } from "./forms";
import { Switch } from "./parts";
import { ForgotPassword, VerifyFirst } from "./Recovery";
import { CodeStep } from "./SecondFactor";

export function Gate() {
  const now = route.value;
  if (now.page === "setup") return <Setup token={now.token} />;
  if (mode.value === "verify") return <VerifyFirst />;
  if (now.page === "invite") return <Invited token={now.token} />;
  if (mode.value === "forgot") return <ForgotPassword />;
  return <SignInOrRegister />;
}

function SignInOrRegister() {
  const isRegister = mode.value === "register" && server.value?.signUpPolicy === "OPEN";
  useEffect(() => { document.title = `${isRegister ? t.register : t.signIn} · ${server.value?.name ?? "Heddle"}`; }, [isRegister, server.value]);
  return isRegister ? <Register /> : <SignIn />;
}

/** Shows the page for users whose address must be verified. A mail was sent to this address, unless it is empty. */
const verifyFirst = (email: string) => {
  unverified.value = email;
  mode.value = "verify";
};

/** The form of a sign-in. Alone, it offers no registration. */
export function SignIn({ isAlone = false }: { isAlone?: boolean }) {
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const [token, setToken] = useState<string | null>(null);
  const [expired, setExpired] = useState(false);
  const { busy, failure, run, problem } = useForm();
  const submit = (event: Event) => {
    event.preventDefault();
    setExpired(false);
    void run(async () => {
      try {
        const challenge = await heddle.signIn(login, password);
        if (challenge) setToken(challenge.token);
      } catch (error) {
        if (codeOf(error) !== "EMAIL_NOT_VERIFIED") throw error;
        verifyFirst("");
      }
    });
  };
  const leave = (expired: boolean) => {
    setToken(null);
    setPassword("");
    setExpired(expired);
  };
  if (token) return <CodeStep token={token} leave={leave} />;
  const isOpen = !isAlone && server.value?.signUpPolicy === "OPEN";
  return (
    <Card title={t.signIn} lead={serverName()} foot={isOpen && (
      <>{t.newHere} <button type="button" class="link" onClick={() => (mode.value = "register")}>{t.createAccount}</button></>
    )}>
      {failure ? <Summary {...failure} /> : (expired || sessionEnded.value) && <div class="note is-above">{expired ? t.codeExpired : t.sessionEnded}</div>}
      <form onSubmit={submit} noValidate>
        <Field name="login" label={t.login} value={login} change={setLogin} autocomplete="username" problem={problem("login")} />
        <Field name="password" label={t.password} type="password" value={password} change={setPassword} autocomplete="current-password" problem={problem("password")} />
        <button class="button primary large wide" type="submit" disabled={busy}>{t.signIn}</button>
        {!isAlone && sendsMail() && <p class="gate-more"><button type="button" class="link" onClick={() => (mode.value = "forgot")}>{t.forgotPassword}</button></p>}
      </form>
    </Card>
  );
}

function Register() {
  return (
    <Card title={t.register} lead={serverName()} foot={
      <>{t.haveAccount} <button type="button" class="link" onClick={() => (mode.value = "signin")}>{t.signIn}</button></>
    }>
      <RegisterForm action={t.createAccount} />
    </Card>
  );
}

/** The page of the link that the server prints: it creates the first administrator. */
function Setup({ token }: { token: string }) {
  const [withDemo, setDemo] = useState(isDevelopment);
  useEffect(() => { document.title = `${t.setUp} · ${server.value?.name ?? "Heddle"}`; }, [server.value]);
  return (
    <Card title={t.setUp} lead={t.setUpLead} foot={
      <>{t.haveAccount} <button type="button" class="link" onClick={() => { mode.value = "signin"; navigate("/", true); }}>{t.signIn}</button></>
    }>
      <RegisterForm action={t.createAdministrator} more={{ setupToken: token, withDemo }}>
        {isDevelopment && <div class="set is-demo"><div class="grow"><b>{t.withDemo}</b><span>{t.withDemoHelp}</span></div><Switch on={withDemo} label={t.withDemo} change={setDemo} /></div>}
      </RegisterForm>
    </Card>
  );
}

/** The page of an invitation. */
function Invited({ token }: { token: string }) {
  useEffect(() => { document.title = `${t.register} · ${server.value?.name ?? "Heddle"}`; }, [server.value]);
  return (
    <Card title={t.register} lead={t.invited(server.value?.name ?? "Heddle")} foot={
      <>{t.haveAccount} <button type="button" class="link" onClick={() => { mode.value = "signin"; navigate("/", true); }}>{t.signIn}</button></>
    }>
      <RegisterForm action={t.createAccount} more={{ invitationToken: token }} />
    </Card>
  );
}

function RegisterForm({ action, more, children }: { action: string; more?: object; children?: preact.ComponentChildren }) {
  const [displayName, setName] = useState("");
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { busy, failure, run, problem } = useForm();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const done = await heddle.register({ displayName: displayName.trim() || null, username, email, password, ...more });
      if (done.needsEmailVerification) verifyFirst(email);
    });
  };
  return (
    <>
      {failure && <Summary {...failure} />}
      <form onSubmit={submit} noValidate>
        <Field name="displayName" label={t.name} value={displayName} change={setName} autocomplete="name" help={t.nameHelp} problem={problem("displayName")} />
        <Field name="username" label={t.username} value={username} change={setUsername} autocomplete="username" help={t.usernameHelp} problem={problem("username")} />
        <Field name="email" label={t.email} type="email" value={email} change={setEmail} autocomplete="email" problem={problem("email")} />
        <Field name="password" label={t.password} type="password" value={password} change={setPassword} autocomplete="new-password" help={t.passwordHelp} problem={problem("password")} />
        {children}
        <button class="button primary large wide" type="submit" disabled={busy}>{action}</button>
      </form>
    </>
  );
}
