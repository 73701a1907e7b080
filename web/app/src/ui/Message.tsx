// One message: in the timeline, as the root of a thread, or as a reply.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { request } from "../api";
import { EditMessage } from "../operations";
import { ago, clock, dye, full, list } from "../format";
import { rich } from "../html";
import { navigate, toMessage, toReply, toThread } from "../route";
import { isBlocked } from "../store/blocks";
import { messages, putMessage, threads, users, viewer, type Message } from "../store/data";
import { discard, retry, type Outgoing } from "../store/outbox";
import { markUnreadFrom, observe } from "../store/read";
import { server } from "../store/session";
import { readDraft, writeDraft } from "../store/storage";
import { t } from "../text";
import { overlay } from "./overlays";
import { copy, explain, Face, grow, Icon, IconButton, Menu, nameOf, say, type Action } from "./parts";

/** The message that is being edited, and where. */
export const editing = signal<{ id: string; place: "timeline" | "thread" } | null>(null);

/** The text of a message. That of a blocked person is shown on request. */
export function Body({ message }: { message: Message }) {
  const [isShown, setShown] = useState(false);
  if (isBlocked(message.senderId) && !isShown) {
    return (
      <p class="tombstone"><Icon name="block" small />{t.blockedMessage}
        <button type="button" class="link" onClick={() => setShown(true)}>{t.show}</button></p>
    );
  }
  const people = message.mentionIds.flatMap((id) => users.get(id) ?? []);
  const mentions = new Map(people.map(({ username, displayName }) => [username.toLowerCase(), displayName]));
  const names = { mentions, me: viewer.value?.username.toLowerCase() ?? "" };
  return <>{rich(message.bodyHtml ?? "", names)}</>;
}

export const Tombstone = () => <p class="tombstone"><Icon name="trash" small />{t.messageDeleted}</p>;

export const linkTo = (message: Message) =>
  location.origin + (message.parentId && message.threadId ? toThread(message.threadId, message.id) : toMessage(message.conversationId, message.id));

/** Text that the next reply quotes: what was selected in the message that it answers. */
export const quoted = signal<string | null>(null);

/** Quotes what is selected in a message. */
export function quoteSelection(messageId: string): void {
  const selection = getSelection();
  const row = selection?.anchorNode?.parentElement?.closest<HTMLElement>("[data-id]");
  const text = selection?.toString().trim();
  if (text && row?.dataset["id"] === messageId && row.contains(selection!.focusNode)) quoted.value = text;
}

export function openReply(message: Message): void {
  quoteSelection(message.id);
  navigate(message.threadId ? toThread(message.threadId) : toReply(message.conversationId, message.id));
}

/** What the viewer can do with a message, in the order of the menu. */
export function actionsOf(message: Message, place: "timeline" | "thread", reply: () => void): Action[] {
  const actions: Action[] = [];
  if (message.viewerCanReply && !message.deletedAt) actions.push({ icon: "reply", label: place === "timeline" ? t.replyInThread : t.reply, run: reply, keys: "R" });
  if (message.viewerCanEdit) actions.push({ icon: "edit", label: t.edit, run: () => (editing.value = { id: message.id, place }), keys: "E" });
  actions.push({ icon: "link", label: t.copyLink, run: () => copy(linkTo(message), t.linkCopied) });
  if (message.body) actions.push({ icon: "copy", label: t.copyText, run: () => copy(message.body!, t.textCopied) });
  if (message.editedAt) actions.push({ icon: "clock", label: t.history, run: () => (overlay.value = { kind: "history", messageId: message.id }) });
  if (message.senderId !== viewer.value?.id && !message.deletedAt) {
    actions.push({ icon: "bell", label: t.unreadFromHere, run: () => void markUnreadFrom(message.id).then(() => say(t.markedUnread), (error) => say(explain(error))), keys: "U" });
  }
  if (message.viewerCanDelete) actions.push({ icon: "trash", label: t.delete, run: () => (overlay.value = { kind: "delete", messageId: message.id }), danger: true });
  return actions;
}

/** The buttons over a message under the pointer or with the focus. */
export function Toolbar({ message, place, reply }: { message: Message; place: "timeline" | "thread"; reply: () => void }) {
  const [menu, setMenu] = useState(false);
  const actions = actionsOf(message, place, reply);
  const quick = actions.filter(({ icon }) => ["reply", "edit", "link"].includes(icon));
  return (
    <div class={menu ? "toolbar is-open" : "toolbar"} role="toolbar" aria-label={t.messageActions}>
      {quick.map(({ icon, label, run }) => <IconButton key={icon} icon={icon} label={label} onClick={run} flip={icon === "reply"} />)}
      <IconButton icon="more" label={t.more} onClick={() => setMenu(!menu)} expanded={menu} menu />
      {menu && <Menu label={t.more} actions={actions} close={() => setMenu(false)} />}
    </div>
  );
}

/** The state of a row under the pointer or with the focus: only that row has a toolbar. */
export function useActive() {
  const [active, setActive] = useState(false);
  return {
    active,
    handlers: {
      onMouseEnter: () => setActive(true),
      onMouseLeave: (event: MouseEvent) => {
        if (!(event.currentTarget as Element).contains(document.activeElement)) setActive(false);
      },
      onFocusIn: () => setActive(true),
      onFocusOut: (event: FocusEvent) => {
        const row = event.currentTarget as Element;
        if (!row.contains(event.relatedTarget as Element | null) && !row.matches(":hover")) setActive(false);
      },
    },
  };
}

/** A long press opens the actions on a touch screen. */
export const longPress = (messageId: string, place: "timeline" | "thread") => (event: Event) => {
  if (!matchMedia("(pointer: coarse)").matches) return;
  event.preventDefault();
  overlay.value = { kind: "actions", messageId, place };
};

/** Marks the row's message as read while it is visible. */
export function useReading(ref: { current: HTMLElement | null }, message: Message | undefined): void {
  const isUnread = !!message && !message.viewerHasRead;
  useEffect(() => (isUnread && ref.current ? observe(ref.current) : undefined), [isUnread, message?.id]);
}

export function Edited({ message }: { message: Message }) {
  if (!message.editedAt || message.deletedAt) return null;
  return (
    <button type="button" class="edited" title={full(message.editedAt)} onClick={() => (overlay.value = { kind: "history", messageId: message.id })}>
      {t.edited}
    </button>
  );
}

/** The text of a message while its author edits it. */
export function Editor({ message }: { message: Message }) {
  const draft = `${viewer.value?.id} edit ${message.id}`;
  const [body, setBody] = useState(() => readDraft(draft) || (message.body ?? ""));
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const ref = useRef<HTMLTextAreaElement>(null);
  const based = useRef(message.editedAt);
  useLayoutEffect(() => {
    const box = ref.current!;
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }, []);
  useLayoutEffect(() => {
    grow(ref.current!, 320);
  }, [body]);
  useEffect(() => writeDraft(draft, body === message.body ? "" : body), [body]);
  const close = () => {
    writeDraft(draft, "");
    const id = message.id;
    editing.value = null;
    setTimeout(() => document.querySelector<HTMLElement>(`[data-id="${id}"]`)?.focus({ preventScroll: true }));
  };
  const save = async () => {
    if (busy) return;
    if (body.trim() === message.body) return close();
    if (!body.trim()) return void (overlay.value = { kind: "delete", messageId: message.id });
    setBusy(true);
    try {
      const input = { messageId: message.id, body, expectedEditedAt: based.current, reason: reason.trim() || null };
      const { editMessage } = await request(EditMessage, { input });
      if (editMessage?.message) putMessage(editMessage.message);
      close();
    } catch (error) {
      const { code } = error as { code?: string };
      setProblem(code === "CONFLICT" ? t.editConflict : explain(error));
      based.current = messages.peek(message.id)?.editedAt ?? null;
    } finally {
      setBusy(false);
    }
  };
  const keys = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape") close();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); void save(); }
  };
  const max = server.value?.limits.messageLength ?? 10_000;
  return (
    <div class="editor" onKeyDown={keys}>
      <div class="composer-box">
        <textarea ref={ref} class="composer-text" value={body} rows={1} dir="auto" aria-label={t.editMessage} maxLength={max} onInput={(event) => setBody(event.currentTarget.value)} />
        <div class="editor-foot">
          <input class="editor-reason" value={reason} maxLength={200} placeholder={t.reasonOptional} aria-label={t.reasonOptional} onInput={(event) => setReason(event.currentTarget.value)} />
          <button type="button" class="button quiet" onClick={close}>{t.cancel}</button>
          <button type="button" class="button primary" disabled={busy} onClick={() => void save()}>{t.save}</button>
        </div>
      </div>
      {problem && <p class="problem" role="alert"><Icon name="alert" small />{problem}</p>}
    </div>
  );
}

function Notice({ message }: { message: Message }) {
  const { type, value, actorId, subjectIds } = message.notice!;
  const b = (name: string) => <b><bdi>{name}</bdi></b>;
  const actor = b(nameOf(actorId));
  const people = b(list(subjectIds.map(nameOf)));
  return <li class="notice" data-id={message.id} data-sequence={message.sequence}>{t.notice(type, actor, people, value && <bdi>{value}</bdi>)}</li>;
}

/** The faces, the count and the news of a message's thread. */
export function ReplySummary({ message }: { message: Message }) {
  const thread = message.threadId ? threads.get(message.threadId) : undefined;
  if (!thread?.replyCount) return null;
  return (
    <a class="replies" href={toThread(thread.id)}>
      <span class="faces" aria-hidden="true">{thread.participantIds.map((id) => <Face key={id} id={id} size={20} />)}</span>
      <span class="count">{t.replyCount(thread.replyCount)}</span>
      <span class="clip">{t.lastReply(ago(thread.lastActivityAt))}</span>
      {thread.viewerUnreadCount > 0 && <span class="new"><i class="dot" />{t.newCount(thread.viewerUnreadCount)}</span>}
    </a>
  );
}

/** A message of the timeline. `same` follows another of the same person. */
export function TimelineMessage({ id, same, open, target }: { id: string; same: boolean; open: boolean; target: boolean }) {
  const message = messages.get(id);
  const ref = useRef<HTMLLIElement>(null);
  const { active, handlers } = useActive();
  useReading(ref, message);
  if (!message) return null;
  if (message.kind === "NOTICE" && message.notice) return <Notice message={message} />;
  const isEditing = editing.value?.id === id && editing.value.place === "timeline";
  const sender = message.senderId ? users.get(message.senderId) : undefined;
  const name = nameOf(message.senderId);
  const hangs = !!message.threadId && !!threads.get(message.threadId)?.replyCount;
  const kind = `message${same ? " is-same" : ""}${open ? " is-open" : ""}${target ? " is-target" : ""} ${sender ? dye(sender.id) : ""}`;
  const reply = () => openReply(message);
  return (
    <li ref={ref} class={kind} tabIndex={-1} data-id={id} data-sequence={message.sequence} {...handlers} onContextMenu={longPress(id, "timeline")}>
      {same ? <time class="gutter-time" dateTime={message.createdAt} title={full(message.createdAt)}>{clock(message.createdAt)}</time>
        : message.deletedAt ? <span /> : <Face id={message.senderId} />}
      <div>
        {message.deletedAt ? <><h2 class="hidden-text">{name}</h2><Tombstone /></> : (
          <>
            {same ? <h2 class="hidden-text">{name}</h2> : (
              <div class="byline"><h2 class="name"><bdi>{name}</bdi></h2><time dateTime={message.createdAt} title={full(message.createdAt)}>{clock(message.createdAt)}</time>
                {message.priority !== "NORMAL" && <span class={message.priority === "URGENT" ? "tag bad" : "tag warn"}>{t.priority(message.priority)}</span>}
                <Edited message={message} /></div>
            )}
            {isEditing ? <Editor message={message} /> : <Body message={message} />}
            {same && <Edited message={message} />}
          </>
        )}
        <ReplySummary message={message} />
      </div>
      {hangs && !same && !message.deletedAt && <span class="hang" aria-hidden="true" />}
      {active && !isEditing && !message.deletedAt && <Toolbar message={message} place="timeline" reply={reply} />}
    </li>
  );
}

/** A message of the viewer that the server has not confirmed. */
export function PendingMessage({ row, same }: { row: Outgoing; same: boolean }) {
  const failed = row.state === "failed";
  const me = viewer.value;
  return (
    <li class={`message${same ? " is-same" : ""} ${failed ? "is-failed" : "is-pending"}`} tabIndex={-1} data-id={row.id}>
      {same ? <span class="gutter-mark">{!failed && <><Icon name="clock" small /><span class="hidden-text">{t.sending}</span></>}</span> : <Face id={me?.id ?? null} />}
      <div>
        {same ? <h2 class="hidden-text">{me?.displayName}</h2> : (
          <div class="byline"><h2 class="name"><bdi>{me?.displayName}</bdi></h2><time>{clock(row.at)}</time>{!failed && <span class="sending">{t.sending}</span>}</div>
        )}
        <p class="text is-plain" dir="auto">{row.body}</p>
        {failed && <FailedRow row={row} />}
      </div>
    </li>
  );
}

export function FailedRow({ row }: { row: Outgoing }) {
  return (
    <div class="failed" role="alert">
      <span><Icon name="alert" small />{t.notSent}{row.problem && row.problem !== "PARENT" ? `: ${row.problem}` : ""}</span>
      <button type="button" class="link" onClick={() => retry(row.id)}>{t.retry}</button>
      <button type="button" class="link" onClick={() => copy(row.body, t.textCopied)}>{t.copy}</button>
      <button type="button" class="link danger" onClick={() => discard(row.id)}>{t.discard}</button>
    </div>
  );
}
