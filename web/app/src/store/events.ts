// Applies events to the store. Each event carries the rows that it changes, so nothing is guessed.
import { signal } from "@preact/signals";

import type { ResultOf } from "../graphql";
import type { Listen, ListenEphemeral } from "../operations";
import { loadBlocked } from "./blocks";
import {
  addConversation, conversations, dropConversation, messages, notifications, patchConversation, peopleVersion,
  putConversation, putMessage, putNotification, putThread, putUser, setUnread, threads, typing, unread, viewerId,
  type Notification,
} from "./data";
import { replyArrived, replyRemoved } from "./thread";
import { arrived, removed, timelines } from "./timeline";

type Ephemeral = { __typename: "PresenceChangedEvent" | "TypingChangedEvent" };
/** An event of either stream. */
export type Event =
  | Exclude<ResultOf<typeof Listen>["events"], Ephemeral>
  | Extract<ResultOf<typeof ListenEphemeral>["events"], Ephemeral>;

/** The newest message that an event delivered, for the announcement to screen readers and for scrolling. */
export const lastArrival = signal<{ id: string; conversationId: string } | null>(null);
/** Ids of notifications, newest first, once they were loaded. */
export const notificationIds = signal<string[] | null>(null);
/** The viewer is no longer in this conversation. */
export const left = signal<string | null>(null);

export function apply(event: Event): void {
  switch (event.__typename) {
    case "MessageSentEvent": {
      const message = putMessage(event.message);
      patchConversation(event.message.conversation);
      if (message.parentId) replyArrived(message);
      else arrived(message);
      if (message.senderId) stopped(message.senderId, message.threadId ?? message.conversationId);
      lastArrival.value = { id: message.id, conversationId: message.conversationId };
      return;
    }
    case "MessageEditedEvent":
      putMessage(event.message);
      return;
    case "MessageDeletedEvent": {
      patchConversation(event.conversation);
      if (event.marker) putMessage(event.marker);
      else {
        messages.remove(event.messageId);
        removed(event.conversation.id, event.messageId);
        replyRemoved(event.messageId);
      }
      return;
    }
    case "ThreadChangedEvent":
      putThread(event.thread);
      return;
    case "ReadPositionChangedEvent":
      readUpTo(event);
      return;
    case "ConversationJoinedEvent":
    case "ConversationChangedEvent":
      addConversation(putConversation(event.conversation));
      return;
    case "ConversationLeftEvent":
      dropConversation(event.conversationId);
      timelines.delete(event.conversationId);
      left.value = event.conversationId;
      keepNotifications((row) => row.conversationId !== event.conversationId);
      return;
    case "ParticipantChangedEvent":
      putUser(event.user);
      if (conversations.peek(event.conversation.id)) putConversation(event.conversation);
      peopleVersion.value += 1;
      return;
    case "PresenceChangedEvent":
    case "UserChangedEvent":
      putUser(event.user);
      return;
    case "ViewerChangedEvent":
      loadBlocked().catch(() => {});
      return;
    case "TypingChangedEvent": {
      putUser(event.user);
      const place = event.thread?.id ?? event.conversation.id;
      if (event.user.id === viewerId.peek()) return;
      if (event.expiresAt) began(event.user.id, place);
      else stopped(event.user.id, place);
      return;
    }
    case "NotificationAddedEvent": {
      const isNew = !notifications.peek(event.notification.id);
      const id = putNotification(event.notification);
      if (!isNew) return;
      unread.value = { ...unread.peek(), notifications: unread.peek().notifications + 1 };
      if (notificationIds.peek()) notificationIds.value = [id, ...notificationIds.peek()!];
      return;
    }
    case "NotificationsChangedEvent":
      setUnread(event.unread);
      // All of them changed: the list is loaded again when it is shown.
      if (!event.notificationIds) notificationIds.value = null;
      for (const id of event.notificationIds ?? []) {
        if (!notifications.peek(id)?.readAt) notifications.patch({ id, readAt: event.occurredAt });
      }
      return;
  }
}

function keepNotifications(wanted: (row: Notification) => boolean): void {
  const isWanted = (id: string) => {
    const row = notifications.peek(id);
    return !!row && wanted(row);
  };
  if (notificationIds.peek()) notificationIds.value = notificationIds.peek()!.filter(isWanted);
}

type ReadPosition = Extract<Event, { __typename: "ReadPositionChangedEvent" }>;

/** The viewer has read up to a message, perhaps on another device. */
function readUpTo(event: ReadPosition): void {
  patchConversation(event.conversation);
  if (event.inThread) putThread(event.inThread);
  if (event.user.id !== viewerId.peek() || !event.readUpTo) return;
  const { sequence } = event.readUpTo;
  const threadId = event.inThread?.id ?? null;
  for (const row of messages.all()) {
    const isPlace = row.conversationId === event.conversation.id && (row.parentId ? row.threadId : null) === threadId;
    if (isPlace && row.sequence <= sequence && !row.viewerHasRead) messages.patch({ id: row.id, viewerHasRead: true });
  }
}

/** How long a person counts as typing. Measured here, because the clock of this device may be wrong. */
const TYPING = 8_000;

function began(userId: string, place: string): void {
  const people = new Map(typing.peek().get(place));
  people.set(userId, Date.now() + TYPING);
  typing.value = new Map(typing.peek()).set(place, people);
  setTimeout(() => {
    const until = typing.peek().get(place)?.get(userId);
    if (until && until <= Date.now()) stopped(userId, place);
  }, TYPING + 50);
}

function stopped(userId: string, place: string): void {
  const people = typing.peek().get(place);
  if (!people?.has(userId)) return;
  const rest = new Map(people);
  rest.delete(userId);
  const all = new Map(typing.peek());
  if (rest.size) all.set(place, rest);
  else all.delete(place);
  typing.value = all;
}

/** The thread of a message, if it is known. */
export const threadOf = (messageId: string) => {
  const threadId = messages.get(messageId)?.threadId;
  return threadId ? threads.get(threadId) : undefined;
};
