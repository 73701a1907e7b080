// Where a message is written. The draft of every place stays in this browser until it is sent.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { request } from "../api";
import { list, number } from "../format";
import { ParticipantsQuery, SetTyping } from "../operations";
import { messages, peopleVersion, putUser, typing, users, viewerId, type User } from "../store/data";
import { send } from "../store/outbox";
import { server } from "../store/session";
import { readDraft, writeDraft } from "../store/storage";
import { t } from "../text";
import { editing, quoted } from "./Message";
import { Face, grow, Icon, IconButton, nameOf } from "./parts";

const draftKey = (place: string) => `${viewerId.peek()} ${place}`;

/** People of a conversation, for completion; loaded once per conversation and again when they change. */
const people = new Map<string, { version: number; loading: Promise<User[]> }>();

function peopleOf(conversationId: string): Promise<User[]> {
  const known = people.get(conversationId);
  if (known?.version === peopleVersion.peek()) return known.loading;
  const loading = request(ParticipantsQuery, { id: conversationId, after: null })
    .then(({ conversation }) => (conversation?.participants.nodes ?? []).map(({ user }) => (putUser(user), user as User)))
    .catch(() => { people.delete(conversationId); return []; });
  people.set(conversationId, { version: peopleVersion.peek(), loading });
  return loading;
}

const fold = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** Marks the letters that match. */
function Matching({ text, part }: { text: string; part: string }) {
  const at = part ? fold(text).indexOf(fold(part)) : -1;
  if (at < 0 || fold(text).length !== text.length) return <>{text}</>;
  return <>{text.slice(0, at)}<mark>{text.slice(at, at + part.length)}</mark>{text.slice(at + part.length)}</>;
}

interface Props {
  conversationId: string;
  /** Names the place of the draft and of typing: a conversation or a thread. */
  place: string;
  threadId?: string | null;
  /** The message that it answers. */
  parentId: string | null;
  rootId: string | null;
  label: string;
  placeholder: string;
  target?: ComponentChildren;
  sent?: () => void;
  escape?: () => void;
  /** The element that holds the rows, for Up in an empty field. */
  scope: "timeline" | "thread";
}

export function Composer(props: Props) {
  const { conversationId, place, threadId, parentId } = props;
  const [body, setBody] = useState(() => readDraft(draftKey(place)));
  const [part, setPart] = useState<{ start: number; text: string } | null>(null);
  const [members, setMembers] = useState<User[]>([]);
  const [chosen, setChosen] = useState(0);
  const box = useRef<HTMLTextAreaElement>(null);
  const typedAt = useRef(0);
  const max = server.value?.limits.messageLength ?? 10_000;
  const left = max - [...body].length;

  useLayoutEffect(() => {
    grow(box.current!, 186);
  }, [body]);
  useEffect(() => writeDraft(draftKey(place), body), [body]);
  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches && !editing.peek()) box.current?.focus({ preventScroll: true });
  }, [parentId]);
  const quote = props.scope === "thread" ? quoted.value : null;
  useEffect(() => {
    if (!quote) return;
    quoted.value = null;
    const lines = quote.split("\n").map((line) => `> ${line}`).join("\n");
    setBody((now) => `${now}${now && !now.endsWith("\n") ? "\n" : ""}${lines}\n\n`);
    box.current?.focus();
  }, [quote]);

  const options = useMemo(() => {
    if (!part) return [];
    const text = fold(part.text);
    return members
      .filter(({ displayName, username }) => fold(displayName).split(/\s+/).some((word) => word.startsWith(text)) || fold(username).includes(text) || fold(displayName).startsWith(text))
      .slice(0, 6);
  }, [part, members]);

  const announce = (isTyping: boolean) => {
    const now = Date.now();
    if (isTyping ? now - typedAt.current < 3_000 : !typedAt.current) return;
    typedAt.current = isTyping ? now : 0;
    request(SetTyping, { input: { conversationId, isTyping, ...(threadId ? { threadId } : {}) } }).catch(() => {});
  };

  const complete = (event: { currentTarget: HTMLTextAreaElement }) => {
    const { value, selectionStart } = event.currentTarget;
    const before = value.slice(0, selectionStart);
    const match = /(?:^|[\s(])@([\p{L}\p{N}_.-]{0,32})$/u.exec(before);
    setPart(match ? { start: selectionStart - match[1]!.length, text: match[1]! } : null);
    setChosen(0);
    if (match) void peopleOf(conversationId).then((all) => setMembers(all.filter(({ id }) => id !== viewerId.peek())));
  };

  const insert = (user: User) => {
    if (!part) return;
    const end = part.start + part.text.length;
    const text = `${body.slice(0, part.start)}${user.username} ${body.slice(end)}`;
    setBody(text);
    setPart(null);
    const at = part.start + user.username.length + 1;
    queueMicrotask(() => { box.current!.focus(); box.current!.setSelectionRange(at, at); });
  };

  const submit = () => {
    if (!body.trim() || left < 0) return;
    send({ conversationId, parentId, rootId: props.rootId, body: body.trim() });
    setBody("");
    setPart(null);
    typedAt.current = 0;
    props.sent?.();
  };

  const keys = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) {
      // Shortcuts of the page work in the field, too.
      window.dispatchEvent(new CustomEvent("heddle-keys", { detail: event }));
      return;
    }
    if (options.length) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        setChosen((chosen + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length);
        return;
      }
      if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); insert(options[chosen]!); return; }
      if (event.key === "Escape") { setPart(null); return; }
    }
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); submit(); }
    else if (event.key === "Escape") props.escape?.();
    else if (event.key === "ArrowUp" && !body) editLast(event);
  };

  /** Edits the viewer's last message of this place. */
  const editLast = (event: KeyboardEvent) => {
    const rows = [...document.querySelectorAll<HTMLElement>(props.scope === "thread" ? ".tree [data-id]" : ".timeline [data-id]")];
    const mine = rows.reverse().map((row) => messages.peek(row.dataset["id"]!)).find((row) => row?.viewerCanEdit && row.senderId === viewerId.peek());
    if (!mine) return;
    event.preventDefault();
    editing.value = { id: mine.id, place: props.scope };
  };

  const typists = [...(typing.value.get(place)?.keys() ?? [])];
  const listId = `people-${props.scope}`;
  return (
    <div class="composer">
      {part && options.length > 0 && (
        <div class="popup mentions" role="listbox" id={listId} aria-label={t.people}>
          <div class="popup-title">{t.inThisConversation}</div>
          {options.map((user, at) => (
            <div key={user.id} class="option" role="option" id={`${listId}-${at}`} aria-selected={at === chosen}
              onMouseEnter={() => setChosen(at)} onPointerDown={(event) => { event.preventDefault(); insert(user); }}>
              <Face id={user.id} size={24} presence />
              <span class="clip grow"><b><bdi><Matching text={user.displayName} part={part.text} /></bdi></b> <span class="muted">@<Matching text={user.username} part={part.text} /></span></span>
              {at === chosen && <kbd>Enter</kbd>}
            </div>
          ))}
        </div>
      )}
      <div class="composer-box">
        {props.target}
        <textarea
          ref={box} class="composer-text" rows={1} dir={body ? "auto" : undefined} value={body} placeholder={props.placeholder} aria-label={props.label}
          aria-autocomplete="list" aria-controls={options.length ? listId : undefined}
          aria-activedescendant={options.length ? `${listId}-${chosen}` : undefined} enterkeyhint="send"
          onInput={(event) => { setBody(event.currentTarget.value); complete(event); announce(!!event.currentTarget.value); }}
          onClick={complete} onKeyDown={keys} onBlur={() => setPart(null)}
        />
        <div class="composer-tools">
          <IconButton icon="at" label={t.mention} onClick={() => {
            const at = box.current!.selectionStart;
            const gap = at && !/\s/.test(body[at - 1]!) ? " @" : "@";
            setBody(body.slice(0, at) + gap + body.slice(at));
            queueMicrotask(() => {
              box.current!.focus();
              box.current!.setSelectionRange(at + gap.length, at + gap.length);
              complete({ currentTarget: box.current! });
            });
          }} />
          <span class="typists clip" aria-live="polite">{typists.length > 0 && t.areTyping(list(typists.slice(0, 3).map((id) => nameOf(users.get(id) ? id : null))), typists.length)}</span>
          <span class="grow" />
          {left <= max / 10 && <span class="left">{left < 0 ? t.tooLong(number(-left)) : t.left(number(left))}</span>}
          <button type="button" class={body.trim() && left >= 0 ? "icon-button send" : "icon-button send is-empty"} aria-label={t.send} title={t.send} onClick={submit}><Icon name="send" /></button>
        </div>
      </div>
      {props.scope === "timeline" && <div class="hint" aria-hidden="true"><span>**{t.bold}** &nbsp;_{t.italic}_ &nbsp;`{t.code}` &nbsp;&gt; {t.quote}</span><span>{t.enterSends}</span></div>}
    </div>
  );
}
