// The parts of forms: the card around one, its fields and its problems. Every problem appears beside its field; the summary
// receives the focus.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

import { problemsOf, type Problem } from "../api";
import { server } from "../store/session";
import { t } from "../text";
import { explain, Icon } from "./parts";

/** The form before a user is signed in. */
export const mode = signal<"signin" | "register" | "forgot" | "verify">("signin");

/** The address that must be verified before its user can sign in; empty if it is not known. */
export const unverified = signal("");

const Mark = () => (
  <svg class="mark" viewBox="0 0 40 48" fill="none" stroke-width="2" aria-hidden="true">
    <g opacity=".5">
      <path d="M8 0v48" stroke="var(--dye-2)" /><path d="M14 0v48" stroke="var(--dye-3)" />
      <path d="M26 0v48" stroke="var(--dye-4)" /><path d="M32 0v48" stroke="var(--dye-6)" />
    </g>
    <path d="M20 0v14M20 34v14" stroke="var(--accent)" />
    <path d="M20 14c7 5 7 15 0 20-7-5-7-15 0-20z" fill="var(--surface-3)" stroke="var(--accent)" />
    <circle cx="20" cy="24" r="2" fill="var(--unread-fill)" />
  </svg>
);

interface FieldProps {
  name: string;
  label: string;
  value: string;
  change: (value: string) => void;
  type?: "text" | "email" | "password";
  autocomplete?: string;
  help?: string;
  problem?: string | undefined;
  optional?: boolean;
}

/** A labelled input with its help or its problem. */
export function Field({ name, label, value, change, type = "text", autocomplete, help, problem, optional }: FieldProps) {
  const [shown, setShown] = useState(false);
  const isPassword = type === "password";
  const note = problem ?? help;
  return (
    <div class="field">
      <div class="label"><label for={name}>{label}</label>{optional && <span class="muted">{t.optional}</span>}</div>
      <div class={problem ? "input is-wrong" : "input"}>
        <input
          id={name} name={name} type={(isPassword && shown ? "text" : type) as "text"} value={value} autocomplete={autocomplete}
          aria-invalid={problem ? true : undefined} aria-describedby={note ? `${name}-note` : undefined}
          autocapitalize="none" spellcheck={false}
          onInput={(event) => change(event.currentTarget.value)}
        />
        {isPassword && (
          <button type="button" class="icon-button is-inset" aria-label={t.showPassword} title={t.showPassword} aria-pressed={shown} onClick={() => setShown(!shown)}>
            <Icon name="eye" />
          </button>
        )}
      </div>
      {note && (
        <p class={problem ? "problem" : "help"} id={`${name}-note`}>{problem && <Icon name="alert" small />}{note}</p>
      )}
    </div>
  );
}

/** The problems of a form as a list of links to their fields. It takes the focus when it appears. */
export function Summary({ title, problems }: { title: string; problems: Problem[] }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => ref.current?.focus(), [title, problems]);
  return (
    <div class="summary-box" role="alert" tabIndex={-1} ref={ref}>
      <h2>{title}</h2>
      {problems.length > 0 && (
        <ul>{problems.map(({ field, message }) => (
          <li key={field}><a href={`#${field}`} onClick={(event) => { event.preventDefault(); document.getElementById(field)?.focus(); }}>{message}</a></li>
        ))}</ul>
      )}
    </div>
  );
}

/** Runs a form's request, and keeps what went wrong. */
export function useForm() {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<{ title: string; problems: Problem[] } | null>(null);
  const run = async (work: () => Promise<unknown>) => {
    if (busy) return false;
    setBusy(true);
    try {
      await work();
      setFailure(null);
      return true;
    } catch (error) {
      const problems = problemsOf(error);
      const title = problems.length
        ? t.problems(problems.length)
        : explain(error);
      setFailure({ title, problems });
      return false;
    } finally {
      setBusy(false);
    }
  };
  const problem = (field: string) => failure?.problems.find((one) => one.field === field)?.message;
  return { busy, failure, run, problem };
}

export function Card({ title, lead, children, foot }: { title: string; lead: string; children: preact.ComponentChildren; foot?: preact.ComponentChildren }) {
  return (
    <main class="gate">
      <div class="gate-main">
        <div class="gate-card">
          <div class="gate-head"><Mark /><h1 class="title">{title}</h1>{lead && <p class="lead">{lead}</p>}</div>
          {children}
        </div>
        {foot && <p class="gate-foot"><span>{foot}</span></p>}
      </div>
    </main>
  );
}

export const serverName = () => {
  const name = server.value?.name;
  return !name || name === "Heddle" ? t.aServer : t.toServer(name);
};

/** Whether the server can send a link to an address. */
export const sendsMail = () => server.value?.features.includes("EMAIL") ?? false;

