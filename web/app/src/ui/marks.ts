// Marks everything as read, with a way back.
import { markConversation, markThread, type Unmark } from "../store/read";
import { conversations, threads } from "../store/data";
import { t } from "../text";
import { explain, say } from "./parts";

function offer(marking: Promise<Unmark>, count: number): void {
  const fail = (error: unknown) => say(explain(error));
  marking.then((back) => say(t.markedRead(count), () => void back().catch(fail)), fail);
}

/** Marks a conversation, if something in it is unread. */
export function markAllRead(conversationId: string): void {
  const count = conversations.peek(conversationId)?.viewerMembership?.unreadCount;
  if (count) offer(markConversation(conversationId), count);
}

export function markAllRepliesRead(threadId: string): void {
  const count = threads.peek(threadId)?.viewerUnreadCount;
  if (count) offer(markThread(threadId), count);
}
