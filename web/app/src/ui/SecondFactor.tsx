// The second factor: the code of a sign-in, and setting up, replacing and removing an authenticator app.
import { useEffect, useMemo, useState } from "preact/hooks";
import { encode } from "uqr";

import { codeOf, heddle, request } from "../api";
import { ConfirmTotpSetup, DisableTotp, Reauthenticate, RegenerateRecoveryCodes, StartTotpSetup } from "../operations";
import { server, start } from "../store/session";
import { t } from "../text";
import { Card, Field, Summary, useForm } from "./forms";
import { copy, say } from "./parts";

/** Digits are a code of the app; anything longer is a recovery code. */
const isRecovery = (code: string) => code.replace(/[^\p{L}\p{N}]/gu, "").length > 8;

/** What the user has entered to prove who they are: the password, or a code if they have a second factor. */
export const proofOf = (hasTotp: boolean, given: string) =>
  !hasTotp ? { password: given } : isRecovery(given) ? { recoveryCode: given } : { totpCode: given };

interface CodeProps { value: string; change: (value: string) => void; problem?: string | undefined; help?: string }

const CodeField = ({ value, change, problem, help = t.codeHelp }: CodeProps) => (
  <Field name="code" label={t.oneTimeCode} value={value} change={change} autocomplete="one-time-code" help={help} problem={problem} />
);

/** Asks for the code after the password. */
export function CodeStep({ token, leave }: { token: string; leave: (expired: boolean) => void }) {
  const [code, setCode] = useState("");
  const { busy, failure, run, problem } = useForm();
  useEffect(() => { document.getElementById("code")?.focus(); }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    const method = isRecovery(code) ? "RECOVERY_CODE" : "TOTP";
    void run(() => heddle.completeSignIn({ challengeToken: token, method, code }).catch((error: unknown) => {
      if (codeOf(error) !== "EXPIRED") throw error;
      leave(true);
    }));
  };
  return (
    <Card title={t.enterCode} lead={t.enterCodeLead} foot={<button type="button" class="link" onClick={() => leave(false)}>{t.backToSignIn}</button>}>
      {failure && <Summary {...failure} />}
      <form onSubmit={submit} noValidate>
        <CodeField value={code} change={setCode} problem={problem("code")} />
        <button class="button primary large wide" type="submit" disabled={busy || !code.trim()}>{t.signIn}</button>
      </form>
    </Card>
  );
}

/** A QR code. It is dark on white in every theme, because some apps read no other one. */
function QrCode({ text }: { text: string }) {
  const { size, path } = useMemo(() => {
    const { data, size } = encode(text, { ecc: "M", border: 3 });
    const dots = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
    return { size, path: dots.join("") };
  }, [text]);
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={t.qrCode} shape-rendering="crispEdges">
      <path d={`M0 0h${size}v${size}h-${size}z`} fill="#fff" /><path d={path} fill="#000" />
    </svg>
  );
}

/** The recovery codes, which are displayed once. */
function RecoveryCodes({ codes, done }: { codes: string[]; done: () => void }) {
  return (
    <>
      <div class="note is-above" role="status">{t.recoveryCodesLead}</div>
      <ul class="codes">{codes.map((code) => <li key={code}><code dir="ltr">{code}</code></li>)}</ul>
      <div class="form-foot is-start"><button type="button" class="button" onClick={() => copy(codes.join("\n"), t.copied)}>{t.copyCodes}</button><button type="button" class="button primary" onClick={done}>{t.codesKept}</button></div>
    </>
  );
}

/** Sets up an app in three steps: the identity, the code of the app, the recovery codes. */
function Setup({ hasTotp, done, cancel }: { hasTotp: boolean; done: () => void; cancel?: () => void }) {
  const [proof, setProof] = useState("");
  const [code, setCode] = useState("");
  const [setup, setSetup] = useState<{ secret: string; uri: string } | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const { busy, failure, run, problem } = useForm();
  const identify = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await request(Reauthenticate, { input: proofOf(hasTotp, proof) });
      const { startTotpSetup: started } = await request(StartTotpSetup);
      if (started?.secret && started.uri) setSetup({ secret: started.secret, uri: started.uri });
    });
  };
  const confirm = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const { confirmTotpSetup: confirmed } = await request(ConfirmTotpSetup, { input: { code } });
      setCodes(confirmed?.recoveryCodes ?? []);
    });
  };
  if (codes) return <RecoveryCodes codes={codes} done={done} />;
  const stop = cancel && <button type="button" class="button" onClick={cancel}>{t.cancel}</button>;
  if (!setup) {
    return (
      <form onSubmit={identify} noValidate>
        {failure && <Summary {...failure} />}
        {hasTotp ? <CodeField value={proof} change={setProof} problem={problem("code")} help={t.oldCodeHelp} />
          : <Field name="proof" label={t.currentPassword} type="password" value={proof} change={setProof} autocomplete="current-password" help={t.identityHelp} problem={problem("password")} />}
        <div class="form-foot">{stop}<button type="submit" class="button primary" disabled={busy || !proof}>{t.goOn}</button></div>
      </form>
    );
  }
  return (
    <form onSubmit={confirm} noValidate>
      {failure && <Summary {...failure} />}
      <p class="small muted is-lead">{t.scanLead}</p>
      <QrCode text={setup.uri} />
      <p class="small muted is-lead">{t.typeSecret} <code dir="ltr" class="secret">{setup.secret.replace(/(.{4})(?=.)/g, "$1 ")}</code></p>
      <CodeField value={code} change={setCode} problem={problem("code")} help={t.firstCodeHelp} />
      <div class="form-foot">{stop}<button type="submit" class="button primary" disabled={busy || !code.trim()}>{t.turnOn}</button></div>
    </form>
  );
}

/** Uses a code for one action. */
function WithCode({ action, danger, run: act, cancel }: { action: string; danger?: boolean; run: (code: string) => Promise<unknown>; cancel: () => void }) {
  const [code, setCode] = useState("");
  const { busy, failure, run, problem } = useForm();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(() => act(code));
  };
  return (
    <form onSubmit={submit} noValidate>
      {failure && <Summary {...failure} />}
      <CodeField value={code} change={setCode} problem={problem("code")} />
      <div class="form-foot"><button type="button" class="button" onClick={cancel}>{t.cancel}</button><button type="submit" class={danger ? "button danger" : "button primary"} disabled={busy || !code.trim()}>{action}</button></div>
    </form>
  );
}

interface State { hasTotp: boolean; recoveryCodesLeft: number }

/** The second factor in the settings. `reload` loads the sessions again, which a change ends. */
export function SecondFactor({ viewer, reload }: { viewer: State; reload: () => void }) {
  const [step, setStep] = useState<"setup" | "codes" | "remove" | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const close = () => { setStep(null); setCodes(null); reload(); };
  const cancel = () => setStep(null);
  const regenerate = async (code: string) => {
    const { regenerateRecoveryCodes: done } = await request(RegenerateRecoveryCodes, { input: { code } });
    setCodes(done?.recoveryCodes ?? []);
  };
  const remove = async (code: string) => {
    await request(DisableTotp, { input: { code } });
    say(t.turnedOff);
    close();
  };
  if (codes) return <RecoveryCodes codes={codes} done={close} />;
  if (step === "setup") return <Setup hasTotp={viewer.hasTotp} done={close} cancel={cancel} />;
  if (step === "codes") return <WithCode action={t.newRecoveryCodes} run={regenerate} cancel={cancel} />;
  if (step === "remove") return <WithCode action={t.turnOff} danger run={remove} cancel={cancel} />;
  return (
    <>
      <p class="small muted is-lead">{t.secondFactorLead}</p>
      <div class="set"><div class="grow"><b>{t.authenticatorApp}</b><span>{viewer.hasTotp ? t.codesLeft(viewer.recoveryCodesLeft) : t.authenticatorHelp}</span></div>{viewer.hasTotp && <span class="tag good">{t.isOn}</span>}</div>
      <div class="form-foot is-start">
        <button type="button" class="button" onClick={() => setStep("setup")}>{viewer.hasTotp ? t.replaceApp : t.setUpApp}</button>
        {viewer.hasTotp && <button type="button" class="button" onClick={() => setStep("codes")}>{t.newRecoveryCodes}</button>}
        {viewer.hasTotp && <button type="button" class="button danger" onClick={() => setStep("remove")}>{t.turnOff}</button>}
      </div>
    </>
  );
}

/** The page of a user who has to set up a second factor before anything else. */
export function RequiredSecondFactor() {
  useEffect(() => { document.title = `${t.secondFactor} · ${server.value?.name ?? "Heddle"}`; }, [server.value]);
  return (
    <Card title={t.secondFactor} lead={t.secondFactorRequired} foot={<button type="button" class="link" onClick={() => void heddle.signOut()}>{t.signOut}</button>}>
      <Setup hasTotp={false} done={() => void start()} />
    </Card>
  );
}
