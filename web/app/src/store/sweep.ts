// Forgets messages that left the page, so that a busy day needs no more memory than a quiet one.
import { route } from "../route";
import { messages, notifications, threads } from "./data";
import { notificationIds } from "./events";
import { loadedReplies, replies } from "./thread";
import { timelines } from "./timeline";

/** Messages that the store may hold before it looks for some to forget. */
const MOST = 1_000;
/** Most replies of a thread that is not open. */
const MOST_REPLIES = 200;

let next = MOST;

/** Forgets what no list contains, if the store holds many messages. */
export function sweep(openRootId: string | null): void {
  if (messages.size < next) return;
  const ids = new Set<string>();
  for (const { window } of timelines.values()) for (const { id } of window.peek()?.entries ?? []) ids.add(id);
  for (const [rootId, list] of loadedReplies()) {
    if (rootId !== openRootId && list.length > MOST_REPLIES) {
      // It loads again when it is opened.
      replies(rootId).ids.value = undefined;
      continue;
    }
    ids.add(rootId);
    for (const id of list) ids.add(id);
  }
  // So does the inbox.
  if (route.peek().page !== "inbox") {
    notificationIds.value = null;
    notifications.keepOnly(new Set());
  }
  for (const { messageId } of notifications.all()) if (messageId) ids.add(messageId);
  const threadIds = new Set([...ids].flatMap((id) => messages.peek(id)?.threadId ?? []));
  messages.keepOnly(ids);
  threads.keepOnly(threadIds);
  // A long list that is open is no reason to look at every event.
  next = Math.max(MOST, 2 * messages.size);
}
