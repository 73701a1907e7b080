// The pages of links in mails, and the form that requests a link for a new password. A page waits for a click, because
// programs that check mail follow links too.
import { useEffect, useState } from "preact/hooks";

import { request } from "../api";
import { RequestPasswordReset, ResendEmailVerification, ResetPassword, VerifyEmail } from "../operations";
import { navigate } from "../route";
import { server } from "../store/session";
import { t } from "../text";
import { Card, Field, mode, Summary, unverified, useForm } from "./forms";

const useTitle = (title: string) =>
  useEffect(() => { document.title = `${title} · ${server.value?.name ?? "Heddle"}`; }, [title, server.value]);

/** Leads out of the page of a link. */
const Home = ({ label }: { label: string }) => (
  <button type="button" class="button primary large wide" onClick={() => { mode.value = "signin"; navigate("/", true); }}>{label}</button>
);

const BackToSignIn = () => (
  <button type="button" class="link" onClick={() => { mode.value = "signin"; navigate("/", true); }}>{t.backToSignIn}</button>
);

/** The page of the link that verifies an address. */
export function VerifyEmailPage({ token }: { token: string }) {
  const [done, setDone] = useState(false);
  const { busy, failure, run } = useForm();
  useTitle(t.verifyAddress);
  const verify = async () => {
    if (await run(() => request(VerifyEmail, { input: { token } }))) setDone(true);
  };
  return (
    <Card title={done ? t.addressVerified : t.verifyAddress} lead={done ? "" : t.verifyLead}>
      {failure && <Summary {...failure} />}
      {done ? <Home label={t.goOn} /> : <button type="button" class="button primary large wide" disabled={busy} onClick={() => void verify()}>{t.verifyAddress}</button>}
    </Card>
  );
}

/** The page of the link that sets a new password. */
export function ResetPasswordPage({ token }: { token: string }) {
  const [newPassword, setPassword] = useState("");
  const [username, setUsername] = useState<string | null>(null);
  const { busy, failure, run, problem } = useForm();
  useTitle(t.newPassword);
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const { resetPassword } = await request(ResetPassword, { input: { token, newPassword } });
      setUsername(resetPassword?.username ?? "");
    });
  };
  if (username !== null) {
    return <Card title={t.passwordChanged} lead={t.signInAs(username)}><Home label={t.signIn} /></Card>;
  }
  return (
    <Card title={t.newPassword} lead={t.newPasswordLead} foot={<BackToSignIn />}>
      {failure && <Summary {...failure} />}
      <form onSubmit={submit} noValidate>
        <Field name="newPassword" label={t.newPassword} type="password" value={newPassword} change={setPassword} autocomplete="new-password" help={t.passwordHelp} problem={problem("newPassword")} />
        <button class="button primary large wide" type="submit" disabled={busy || !newPassword}>{t.changePassword}</button>
      </form>
    </Card>
  );
}

/** Requests a link for a new password. The answer does not tell whether the address is known. */
export function ForgotPassword() {
  const [email, setEmail] = useState("");
  const [sent, setSent] = useState(false);
  const { busy, failure, run, problem } = useForm();
  useTitle(t.forgotPassword);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await run(() => request(RequestPasswordReset, { input: { email } }))) setSent(true);
  };
  return (
    <Card title={t.forgotPassword} lead={sent ? t.resetSent(email) : t.resetLead} foot={<BackToSignIn />}>
      {failure && <Summary {...failure} />}
      {!sent && (
        <form onSubmit={submit} noValidate>
          <Field name="email" label={t.email} type="email" value={email} change={setEmail} autocomplete="email" problem={problem("email")} />
          <button class="button primary large wide" type="submit" disabled={busy || !email.trim()}>{t.sendLink}</button>
        </form>
      )}
    </Card>
  );
}

/** Prompts a user who registered or tried to sign in to verify the address, and mails the link again. */
export function VerifyFirst() {
  const [email, setEmail] = useState(unverified.value);
  const { busy, failure, run, problem } = useForm();
  useTitle(t.verifyAddress);
  const sentTo = unverified.value;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await run(() => request(ResendEmailVerification, { input: { email } }))) unverified.value = email;
  };
  return (
    <Card title={t.verifyAddress} lead={sentTo ? t.linkSentTo(sentTo) : t.verifyFirst} foot={<BackToSignIn />}>
      {failure && <Summary {...failure} />}
      <form onSubmit={submit} noValidate>
        <Field name="email" label={t.email} type="email" value={email} change={setEmail} autocomplete="email" problem={problem("email")} />
        <button class={sentTo ? "button large wide" : "button primary large wide"} type="submit" disabled={busy || !email.trim()}>{sentTo ? t.sendAnotherLink : t.sendLink}</button>
      </form>
    </Card>
  );
}
