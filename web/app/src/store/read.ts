// Marks messages as read once they were visible for a second in a focused tab, and sends them at most once a second.
import { request } from "../api";
import { MarkConversationsRead, MarkMessagesRead, MarkThreadRead, MarkUnreadFrom } from "../operations";
import { conversations, isUnread, messages, patchConversation, putThread, setUnread, threads, viewerId, type Message } from "./data";

const VISIBLE = 1_000;
const INTERVAL = 1_000;
/** Most ids that one request may name. */
const BATCH = 200;

let waiting = new Set<string>();
let sending: ReturnType<typeof setTimeout> | undefined;
const visible = new Map<string, ReturnType<typeof setTimeout>>();

/** Marks one message, which was visible long enough. */
function seen(id: string): void {
  const message = messages.peek(id);
  if (!message || message.viewerHasRead || waiting.has(id)) return;
  waiting.add(id);
  sending ??= setTimeout(flush, INTERVAL);
}

/** Sends what is waiting; also when the user leaves the page. */
export async function flush(): Promise<void> {
  clearTimeout(sending);
  sending = undefined;
  const ids = [...waiting].slice(0, BATCH);
  if (!ids.length) return;
  waiting = new Set([...waiting].slice(BATCH));
  if (waiting.size) sending = setTimeout(flush, INTERVAL);
  const shown = ids.map((id) => messages.change(id, { viewerHasRead: true }));
  try {
    const { markMessagesRead: done } = await request(MarkMessagesRead, { input: { messageIds: ids } });
    if (!done) return;
    setUnread(done.unread);
    for (const { id, viewerHasRead, conversation, thread } of done.messages) {
      messages.patch({ id, viewerHasRead });
      patchConversation(conversation);
      if (thread) threads.patch(thread);
    }
  } catch {
    // The messages stay unread, and count again when they are visible.
  } finally {
    for (const change of shown) change.drop();
  }
}

const observer = typeof IntersectionObserver === "undefined" ? null : new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const id = (target as HTMLElement).dataset["id"];
      if (!id) continue;
      clearTimeout(visible.get(id));
      visible.delete(id);
      if (isIntersecting) watch(id);
    }
  },
  { threshold: 0.6 },
);

function watch(id: string): void {
  visible.set(id, setTimeout(() => {
    if (document.hasFocus() && document.visibilityState === "visible") seen(id);
    else watch(id);
  }, VISIBLE));
}

/** Observes the element of an unread message. Returns the end of it. */
export function observe(element: HTMLElement): () => void {
  observer?.observe(element);
  return () => {
    observer?.unobserve(element);
    const id = element.dataset["id"];
    if (!id) return;
    clearTimeout(visible.get(id));
    visible.delete(id);
  };
}

/** How to take back that everything is read. */
export type Unmark = () => Promise<void>;

/** Takes back that messages of a place were marked: those that were unread are unread again. */
function unmark(inPlace: (row: Message) => boolean): Unmark {
  const rows = messages.all().filter(inPlace);
  const unreadIds = new Set(rows.filter(isUnread).map(({ id }) => id));
  const first = rows.filter(isUnread).sort((a, b) => a.sequence - b.sequence)[0];
  return async () => {
    if (!first) return;
    await markUnreadFrom(first.id);
    // Messages after the first one that were read before.
    const readIds = rows.filter((row) => row.sequence > first.sequence && row.viewerHasRead && !unreadIds.has(row.id)).map(({ id }) => id);
    for (const id of readIds) waiting.add(id);
    if (readIds.length) await flush();
  };
}

/** Marks a whole conversation. */
export async function markConversation(id: string): Promise<Unmark> {
  const before = conversations.peek(id)?.viewerMembership;
  const isPlace = (row: Message) => row.conversationId === id && !row.parentId;
  const back = unmark(isPlace);
  const shown = before && conversations.change(id, { viewerMembership: { ...before, unreadCount: 0, mentionCount: 0 } });
  try {
    const input = { conversations: [{ conversationId: id }] };
    const { markConversationsRead: done } = await request(MarkConversationsRead, { input });
    setUnread(done?.unread);
    done?.conversations.forEach(patchConversation);
    for (const row of messages.all()) if (isPlace(row) && !row.viewerHasRead) messages.patch({ id: row.id, viewerHasRead: true });
  } finally {
    shown?.drop();
  }
  return back;
}

export async function markThread(threadId: string): Promise<Unmark> {
  const isPlace = (row: Message) => row.threadId === threadId && !!row.parentId;
  const back = unmark(isPlace);
  const { markThreadRead: done } = await request(MarkThreadRead, { input: { threadId } });
  setUnread(done?.unread);
  if (done?.thread) putThread(done.thread);
  for (const row of messages.all()) if (isPlace(row) && !row.viewerHasRead) messages.patch({ id: row.id, viewerHasRead: true });
  return back;
}

/** Makes a message and everything after it unread. */
export async function markUnreadFrom(messageId: string): Promise<void> {
  const message = messages.peek(messageId);
  const { markUnreadFrom: done } = await request(MarkUnreadFrom, { input: { messageId } });
  setUnread(done?.unread);
  if (!done?.message || !message) return;
  patchConversation(done.message.conversation);
  if (done.message.thread) putThread(done.message.thread);
  for (const row of messages.all()) {
    const isPlace = row.conversationId === message.conversationId &&
      (message.parentId ? row.threadId === message.threadId && !!row.parentId : !row.parentId);
    if (isPlace && row.sequence >= message.sequence && row.senderId !== viewerId.peek()) {
      messages.patch({ id: row.id, viewerHasRead: false });
    }
  }
}
