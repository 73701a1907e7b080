// Filters, pages and the dialogs for changes.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { codeOf, request } from "../api";
import { dye, initials } from "../format";
import { Reauthenticate } from "../operations";
import { t } from "../text";
import { Field, Summary, useForm } from "../ui/forms";
import { copy, Dialog, Icon } from "../ui/parts";
import { proofOf } from "../ui/SecondFactor";
import { filtered, go, place } from "./place";
import { me, ROLES, type PageOf, type Role } from "./state";
import { c } from "./text";

export function Initials({ user, size = 32 }: { user: { id: string; displayName: string }; size?: 32 | 56 }) {
  return <span class={`face face-${size} ${dye(user.id)}`} aria-hidden="true">{initials(user.displayName, size)}</span>;
}

/** A filter with a few values. */
export function Choice({ name, label, options }: { name: string; label: string; options: [string, string][] }) {
  const value = place.value.filters.get(name) ?? "";
  return (
    <label class={value ? "filter on" : "filter"}>
      <span>{label}</span>
      <select value={value} onChange={(event) => go(filtered({ [name]: event.currentTarget.value }))}>
        <option value="">{c.any}</option>
        {options.map(([id, text]) => <option key={id} value={id}>{text}</option>)}
      </select>
    </label>
  );
}

/** A filter with text. It applies when the user pauses. */
export function TextFilter({ name, label, wide }: { name: string; label: string; wide?: boolean }) {
  const value = place.value.filters.get(name) ?? "";
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) { sent.current = value; setText(value); }
  }, [value]);
  useEffect(() => {
    if (text.trim() === sent.current) return;
    const timer = setTimeout(() => { sent.current = text.trim(); go(filtered({ [name]: sent.current }), true); }, 300);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class={wide ? "input small is-search" : "input small"}>
      {wide && <Icon name="search" small />}
      <input value={text} placeholder={label} aria-label={label} autocapitalize="none" spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
    </label>
  );
}

export function Pager({ page }: { page: PageOf<unknown> | null }) {
  const after = place.value.filters.get("after");
  const { hasNextPage = false, endCursor = null } = page?.pageInfo ?? {};
  if (!after && !hasNextPage) return null;
  return (
    <footer class="pager">
      <span class="grow" />
      <button type="button" class="button quiet" disabled={!after} onClick={() => go(filtered({}))}>{c.firstPage}</button>
      <button type="button" class="button" disabled={!hasNextPage} onClick={() => go(filtered({ after: endCursor ?? "" }))}>{c.nextPage}</button>
    </footer>
  );
}

/** Moves the focus between the rows of a table with the arrow keys; Enter opens one. */
export function rowKeys(event: KeyboardEvent): void {
  const row = (event.target as Element).closest("tr");
  if (!row || event.target !== row) return;
  const step = event.key === "ArrowDown" ? row.nextElementSibling : event.key === "ArrowUp" ? row.previousElementSibling : null;
  if (step) { event.preventDefault(); (step as HTMLElement).focus(); }
  if (event.key === "Enter") { event.preventDefault(); row.click(); }
}

interface ChangeProps {
  title: string;
  /** What happens, in one or two sentences. */
  consequence: string;
  action: string;
  danger?: boolean;
  /** What the user has to type first. */
  confirm?: string;
  /** Whether the audit log needs a reason. */
  needsReason?: boolean;
  /** More fields of the change. A function receives the problem of each. */
  children?: ComponentChildren | ((problem: (field: string) => string | undefined) => ComponentChildren);
  run: (reason: string) => Promise<void>;
  close: () => void;
}

/** A dialog for one change. If the server asks for it, the user first proves who they are. */
export function Change({ title, consequence, action, danger, confirm, needsReason, children, run: act, close }: ChangeProps) {
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const [proof, setProof] = useState("");
  const [asksProof, setAsksProof] = useState(false);
  const { busy, failure, run, problem } = useForm();
  const hasTotp = me.value?.hasTotp ?? false;
  useEffect(() => { if (asksProof) document.getElementById("proof")?.focus(); }, [asksProof]);
  const isReady = (!confirm || typed.trim().toLowerCase() === confirm.toLowerCase()) && (!needsReason || !!reason.trim()) && (!asksProof || !!proof);
  const submit = (event: Event) => {
    event.preventDefault();
    if (!isReady) return;
    void run(async () => {
      if (asksProof) {
        await request(Reauthenticate, { input: proofOf(hasTotp, proof) });
        setAsksProof(false);
      }
      try {
        await act(reason.trim());
      } catch (error) {
        if (codeOf(error) !== "REAUTHENTICATION_REQUIRED") throw error;
        setAsksProof(true);
      }
    });
  };
  return (
    <Dialog title={title} close={close}>
      <form class="dialog-body" onSubmit={submit} noValidate>
        {failure && <Summary {...failure} />}
        <p class="is-lead">{consequence}</p>
        {typeof children === "function" ? children(problem) : children}
        {confirm && <Field name="confirm" label={c.typeToConfirm(confirm)} value={typed} change={setTyped} autocomplete="off" />}
        {needsReason && <Field name="reason" label={c.reason} value={reason} change={setReason} autocomplete="off" help={c.reasonHelp} problem={problem("reason")} />}
        {asksProof && (hasTotp
          ? <Field name="proof" label={t.oneTimeCode} value={proof} change={setProof} autocomplete="one-time-code" help={c.proofHelp} problem={problem("code")} />
          : <Field name="proof" label={t.currentPassword} type="password" value={proof} change={setProof} autocomplete="current-password" help={c.proofHelp} problem={problem("password")} />)}
        <div class="form-foot">
          <button type="button" class="button" onClick={close}>{t.cancel}</button>
          <button type="submit" class={danger ? "button danger" : "button primary"} disabled={busy || !isReady}>{action}</button>
        </div>
      </form>
    </Dialog>
  );
}

/** A link that is displayed once. */
export function Link({ title, lead, url, close }: { title: string; lead: string; url: string; close: () => void }) {
  return (
    <Dialog title={title} close={close}>
      <div class="dialog-body">
        <p class="is-lead">{lead}</p>
        <p><code dir="ltr" class="secret">{url}</code></p>
        <div class="form-foot"><button type="button" class="button" onClick={close}>{t.close}</button><button type="button" class="button primary" onClick={() => copy(url, t.linkCopied)}>{t.copyLink}</button></div>
      </div>
    </Dialog>
  );
}

/** The role of an account on the server, in a form. */
export const RoleField = ({ value, change }: { value: Role; change: (role: Role) => void }) => (
  <SelectField name="role" label={c.roleLabel} value={value} options={roleOptions()} change={(role) => change(role as Role)} />
);

export const roleOptions = (): [string, string][] => ROLES.map((id) => [id, c.role[id]]);

/** A labelled choice in a form. */
export function SelectField({ name, label, value, options, change }: { name: string; label: string; value: string; options: [string, string][]; change: (value: string) => void }) {
  return (
    <div class="field">
      <div class="label"><label for={name}>{label}</label></div>
      <div class="input"><select id={name} name={name} value={value} onChange={(event) => change(event.currentTarget.value)}>
        {options.map(([id, text]) => <option key={id} value={id}>{text}</option>)}
      </select></div>
    </div>
  );
}
