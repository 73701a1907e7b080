// The normalised store: one row per object of the server, whatever request or event delivered it.
import { computed, signal } from "@preact/signals";

import type { ResultOf } from "../graphql";
import type * as operations from "../operations";
import { Table } from "./table";

type Raw<D> = D extends keyof typeof operations ? ResultOf<(typeof operations)[D]> : never;

export type User = Raw<"UserFields"> & { bio?: string | null };
type RawCore = Raw<"MessageCore">;
type RawMessage = Raw<"MessageFields">;
type RawThread = Raw<"ThreadFields">;
type RawConversation = Raw<"ConversationFields">;
type RawNotification = Raw<"NotificationFields">;
export type Unread = Omit<Raw<"UnreadFields">, "id">;
export type Membership = NonNullable<RawConversation["viewerMembership"]>;

/** A message. Other objects are named by id; a pending message of the viewer is in the outbox instead. */
export type Message = Omit<RawMessage, "sender" | "conversation" | "parent" | "thread" | "notice" | "mentions"> & {
  senderId: string | null;
  conversationId: string;
  parentId: string | null;
  threadId: string | null;
  mentionIds: string[];
  notice: { type: string; value: string | null; actorId: string | null; subjectIds: string[] } | null;
};

export type Thread = Omit<RawThread, "root" | "conversation" | "participants"> & {
  rootId: string;
  conversationId: string;
  participantIds: string[];
};

export type Conversation = Omit<RawConversation, "participants"> & {
  /** The first few people, enough for a direct conversation and for faces. */
  peopleIds: string[];
};

export type Notification = Omit<RawNotification, "actor" | "conversation" | "message"> & {
  actorId: string | null;
  conversationId: string | null;
  messageId: string | null;
};

export const users = new Table<User>();
export const conversations = new Table<Conversation>();
export const messages = new Table<Message>();
export const threads = new Table<Thread>();
export const notifications = new Table<Notification>();

const none: Unread = { conversations: 0, mentions: 0, messages: 0, notifications: 0, threads: 0 };
/** Totals for badges. */
export const unread = signal<Unread>(none);
/** The signed-in user's id in `users`; null until it is loaded. */
export const viewerId = signal<string | null>(null);
export const viewer = computed(() => (viewerId.value ? users.get(viewerId.value) : undefined));
/** Conversations of the viewer, in no order. */
export const conversationIds = signal<string[]>([]);
/** People who are typing, by place: a thread's or a conversation's id. */
export const typing = signal<Map<string, Map<string, number>>>(new Map());
/** Counts changes of a conversation's people, so that an open list loads again. */
export const peopleVersion = signal(0);

/** Pinned conversations first, then by activity. Archived ones are at the end of the third list. */
export const sorted = computed(() => {
  const rows = conversationIds.value.flatMap((id) => conversations.get(id) ?? []);
  rows.sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : -1));
  const of = (test: (membership: Membership | null) => boolean) => rows.filter((row) => test(row.viewerMembership));
  return {
    pinned: of((mine) => !!mine?.isPinned && !mine.isArchived),
    others: of((mine) => !mine?.isPinned && !mine?.isArchived),
    archived: of((mine) => !!mine?.isArchived),
  };
});

export function putUser({ id, displayName, username, presence, statusText, isViewer, bio }: User): string {
  users.put({ id, displayName, username, presence, statusText, isViewer, ...(bio === undefined ? {} : { bio }) });
  return id;
}

/** Merges what a mention says about a user. */
function putName(user: { id: string; username: string; displayName: string }): string {
  const before = users.peek(user.id) ?? { presence: "OFFLINE" as const, statusText: null, isViewer: false };
  users.put({ ...before, ...user });
  return user.id;
}

export function putThread(thread: RawThread): string {
  // A query may select more than the row has, such as a page of replies.
  const { id, replyCount, lastActivityAt, viewerUnreadCount, viewerIsFollowing, root, conversation, participants } = thread;
  threads.put({
    id,
    replyCount,
    lastActivityAt,
    viewerUnreadCount,
    viewerIsFollowing,
    rootId: root.id,
    conversationId: conversation.id,
    participantIds: participants.nodes.map(putUser),
  });
  messages.patch({ id: root.id, threadId: thread.id });
  return thread.id;
}

export function putMessage({ thread, ...message }: RawMessage): Message {
  return putCore(message, thread && putThread(thread));
}

/** Merges a message whose thread is known. */
export function putCore(message: RawCore, threadId: string | null): Message {
  const { sender, conversation, parent, notice, mentions, ...fields } = message;
  messages.put({
    ...fields,
    senderId: sender && putUser(sender),
    conversationId: conversation.id,
    parentId: parent?.id ?? null,
    threadId,
    mentionIds: mentions.map(putName),
    notice: notice && {
      type: notice.type,
      value: notice.value,
      actorId: notice.actor && putUser(notice.actor),
      subjectIds: notice.subjects.map(putUser),
    },
  });
  return messages.peek(message.id)!;
}

export function putConversation(conversation: RawConversation): string {
  const { participants, ...fields } = conversation;
  conversations.put({ ...fields, peopleIds: participants.nodes.map(({ user }) => putUser(user)) });
  return conversation.id;
}

/** Merges what every event about a conversation carries. */
export function patchConversation(state: Raw<"ConversationState">): void {
  const before = conversations.peek(state.id);
  if (!before) return;
  const mine = before.viewerMembership;
  conversations.patch({
    id: state.id,
    lastActivityAt: state.lastActivityAt,
    viewerMembership: mine && state.viewerMembership ? { ...mine, ...state.viewerMembership } : mine,
  });
}

export function putNotification(notification: RawNotification): string {
  const { actor, conversation, message, ...fields } = notification;
  if (message) putMessage(message);
  notifications.put({
    ...fields,
    actorId: actor && putUser(actor),
    conversationId: conversation?.id ?? null,
    messageId: message?.id ?? null,
  });
  return notification.id;
}

/** Whether a message counts as unread for the viewer. */
export const isUnread = (message: Message | undefined): boolean =>
  !!message && !message.viewerHasRead && !message.deletedAt && message.kind === "USER";

export function setUnread(totals: Raw<"UnreadFields"> | null | undefined): void {
  if (!totals) return;
  const { id: _, ...counts } = totals;
  unread.value = counts;
}

export function addConversation(id: string): void {
  if (!conversationIds.peek().includes(id)) conversationIds.value = [...conversationIds.peek(), id];
}

export function dropConversation(id: string): void {
  conversationIds.value = conversationIds.peek().filter((other) => other !== id);
  conversations.remove(id);
}

/** Ids of the people whom the viewer blocked, newest block first. */
export const blockedIds = signal<readonly string[]>([]);

/** Forgets everything, when another user signs in. */
export function forget(): void {
  for (const table of [users, conversations, messages, threads, notifications]) table.clear();
  unread.value = none;
  viewerId.value = null;
  conversationIds.value = [];
  typing.value = new Map();
  blockedIds.value = [];
}
