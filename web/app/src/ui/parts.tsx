// Small pieces that every screen uses.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { codeOf, HeddleError, problemsOf } from "../api";
import { dye, initials } from "../format";
import { phone } from "../preferences";
import { conversations, users, viewerId, type Conversation } from "../store/data";
import { t } from "../text";
import { Splitter } from "./Splitter";

export function Icon({ name, small, flip, class: extra }: { name: string; small?: boolean; flip?: boolean; class?: string }) {
  const kind = `icon${small ? " icon-s" : ""}${flip ? " flip" : ""}${extra ? ` ${extra}` : ""}`;
  return <svg class={kind} aria-hidden="true"><use href={`#i-${name}`} /></svg>;
}

export function Presence({ of }: { of: string }) {
  return <i class={`presence ${of.toLowerCase()}`} />;
}

/** A person's initials on their dye. */
export function Face({ id, size = 36, presence = false }: { id: string | null; size?: number; presence?: boolean }) {
  const user = id ? users.get(id) : undefined;
  const sized = size === 36 ? "" : ` face-${size}`;
  if (!user) return <span class={`face is-gone${sized}`} aria-hidden="true"><Icon name="person" small /></span>;
  return (
    <span class={`face${sized} ${dye(user.id)}`} aria-hidden="true">
      {initials(user.displayName, size)}
      {presence && <Presence of={user.presence} />}
    </span>
  );
}

export const nameOf = (id: string | null): string => (id && users.get(id)?.displayName) || t.deletedUser;

/** The other person of a direct conversation between two; null for every other conversation. */
export function otherPerson(row: Conversation): string | null {
  if (row.kind !== "DIRECT" || row.participantCount > 2) return null;
  return row.peopleIds.find((id) => id !== viewerId.value) ?? null;
}

/** What marks a conversation in lists: a face, or a heddle in its dye. */
export function ConversationMark({ id, size = 20 }: { id: string; size?: 20 | 24 }) {
  const row = conversations.get(id);
  const other = row && otherPerson(row);
  if (other) return <Face id={other} size={size} presence />;
  return <Icon name="heddle" class={`heddle ${dye(id)}`} />;
}

export function Badge({ count, label, quiet }: { count: number; label: string; quiet?: boolean }) {
  if (!count) return null;
  return (
    <span class={quiet ? "badge quiet" : "badge"}>
      <span aria-hidden="true">{count > 99 ? "99+" : count}</span>
      <span class="hidden-text">{label}</span>
    </span>
  );
}

export function IconButton(props: {
  icon: string; label: string; onClick?: (event: MouseEvent) => void; flip?: boolean; class?: string;
  expanded?: boolean; pressed?: boolean; type?: "button" | "submit"; disabled?: boolean; menu?: boolean;
}) {
  return (
    <button
      type={props.type ?? "button"} class={`icon-button${props.class ? ` ${props.class}` : ""}`} aria-label={props.label}
      title={props.label} onClick={props.onClick} aria-expanded={props.expanded} aria-pressed={props.pressed}
      disabled={props.disabled} aria-haspopup={props.menu ? "menu" : undefined}
    >
      <Icon name={props.icon} flip={props.flip ?? false} />
    </button>
  );
}

export const Typing = () => <span class="typing" role="img" aria-label={t.typing}><i /><i /><i /></span>;

/** A modal dialog. The browser keeps the focus inside and returns it. */
export function Dialog({ title, close, children, wide, head }: {
  title: string; close: () => void; children: ComponentChildren; wide?: boolean; head?: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={ref} class="scrim" aria-label={title}
      onCancel={(event) => { event.preventDefault(); close(); }}
      onPointerDown={(event) => { if (event.target === ref.current) close(); }}
    >
      <div class={wide ? "dialog" : "dialog is-narrow"}>
        {head ?? (
          <div class="dialog-head">
            <h2 class="grow">{title}</h2>
            <IconButton icon="x" label={t.close} onClick={close} />
          </div>
        )}
        {children}
      </div>
    </dialog>
  );
}

export interface Action {
  icon: string;
  /** The presence that the action sets, shown instead of an icon. */
  presence?: string;
  label: string;
  run: () => void;
  danger?: boolean;
  keys?: string;
}

/** A menu below or above its button. Arrow keys move, Escape closes. */
export function Menu({ actions, close, up, label }: { actions: Action[]; close: () => void; up?: boolean; label: string }) {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const menu = ref.current!;
    menu.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    // Near the lower edge of the window it opens upwards.
    if (!up && menu.getBoundingClientRect().bottom > innerHeight - 8) menu.classList.add("is-up");
    const outside = (event: Event) => { if (!menu.contains(event.target as Element)) close(); };
    const timer = setTimeout(() => addEventListener("pointerdown", outside, true));
    return () => {
      clearTimeout(timer);
      removeEventListener("pointerdown", outside, true);
      before?.focus({ preventScroll: true });
    };
  }, []);
  const move = (event: KeyboardEvent) => {
    event.stopPropagation();
    const items = [...ref.current!.querySelectorAll<HTMLElement>("[role=menuitem]")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); close(); }
    if (event.key === "ArrowDown") { event.preventDefault(); items[(at + 1) % items.length]?.focus(); }
    if (event.key === "ArrowUp") { event.preventDefault(); items.at(at - 1)?.focus(); }
  };
  return (
    <div ref={ref} class={up ? "popup menu is-up" : "popup menu"} role="menu" aria-label={label} onKeyDown={move}>
      {actions.map(({ icon, label, run, danger, keys, presence }) => (
        <button key={label} type="button" role="menuitem" tabIndex={-1} class={danger ? "option is-danger" : "option"}
          onClick={(event) => { event.stopPropagation(); close(); run(); }}>
          {presence ? <span class="presence-mark"><Presence of={presence} /></span> : <Icon name={icon} />}<span class="grow clip">{label}</span>{keys && <kbd>{keys}</kbd>}
        </button>
      ))}
    </div>
  );
}

/** The frame of a panel beside the room. On a phone it is the only region, and so the main one. */
export function Panel({ label, children }: { label: string; children: ComponentChildren }) {
  return phone.value ? <main class="panel" aria-label={label}>{children}</main> : <aside class="panel" aria-label={label}><Splitter />{children}</aside>;
}

/** The title of a panel. */
export const PanelTitle = ({ children }: { children: ComponentChildren }) => (phone.value ? <h1>{children}</h1> : <h2>{children}</h2>);

interface ToastState {
  text: string;
  undo?: () => void;
}

export const toast = signal<ToastState | null>(null);
let toastTimer: ReturnType<typeof setTimeout> | undefined;

/** Shows a short message at the bottom, with a way back if there is one. */
export function say(text: string, undo?: () => void): void {
  clearTimeout(toastTimer);
  toast.value = undo ? { text, undo } : { text };
  toastTimer = setTimeout(() => (toast.value = null), undo ? 8_000 : 4_000);
}

/** Copies a text, and shows that it is done. */
export function copy(text: string, done: string): void {
  navigator.clipboard.writeText(text).then(() => say(done), () => say(t.copyFailed));
}

export function Toast() {
  const now = toast.value;
  if (!now) return null;
  return (
    <div class="toast" role="status">
      <span>{now.text}</span>
      {now.undo && <button type="button" class="button quiet is-accent" onClick={() => { now.undo!(); toast.value = null; }}>{t.undo}</button>}
      {!now.undo && <IconButton icon="x" label={t.close} onClick={() => (toast.value = null)} />}
    </div>
  );
}

export function Switch({ on, label, change, disabled }: { on: boolean; label: string; change: (on: boolean) => void; disabled?: boolean }) {
  return <button type="button" class="switch" aria-pressed={on} aria-label={label} disabled={disabled} onClick={() => change(!on)} />;
}

/** Codes whose reason does not depend on the request: the page says it in its own language. */
const GENERAL = ["NETWORK", "INTERNAL", "UNAVAILABLE", "TIMEOUT", "RATE_LIMITED"];

/** Why a request failed, for people. */
export function explain(error: unknown): string {
  const isParticular = error instanceof HeddleError && !GENERAL.includes(error.code);
  return problemsOf(error)[0]?.message ?? (isParticular ? error.message : t.failed(codeOf(error)));
}

/** What went wrong, and a way to try again. */
export function Failed({ error, retry }: { error: unknown; retry: () => void }) {
  const requestId = (error as { extensions?: { requestId?: string } } | null)?.extensions?.requestId;
  return (
    <div class="empty" role="alert">
      <h2 class="title">{t.failedTitle}</h2>
      <p class="lead">{t.failed((error as { code?: string } | null)?.code ?? "INTERNAL")}{requestId && ` (${requestId})`}</p>
      <button type="button" class="button primary" onClick={retry}><Icon name="retry" />{t.retry}</button>
    </div>
  );
}

export function Skeleton({ rows, lines }: { rows: number; lines?: boolean }) {
  return (
    <div class={lines ? "skeletons is-messages" : "skeletons"} aria-hidden="true">
      {Array.from({ length: rows }, (_, at) => <div key={at} class="skeleton-row"><i class="skeleton is-face" /><i class={`skeleton is-line-${at % 4}`} /></div>)}
    </div>
  );
}

/** Makes a field as high as its text, where the browser does not do so itself. */
export function grow(field: HTMLTextAreaElement, max: number): void {
  if (CSS.supports("field-sizing", "content")) return;
  // Measuring needs a field without a height, which would scroll the messages above it.
  const list = field.closest(".room, .panel")?.querySelector(".scroll");
  const top = list?.scrollTop ?? 0;
  field.style.blockSize = "auto";
  field.style.blockSize = `${Math.min(max, field.scrollHeight)}px`;
  if (list) list.scrollTop = top;
}

/** Renders again when the given time has passed, for relative times. */
export function useTick(ms: number): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((now) => now + 1), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return tick;
}
