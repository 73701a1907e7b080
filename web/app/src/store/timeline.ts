// The loaded part of each conversation's timeline: a gapless window of root messages, at most MAX long.
import { signal, type Signal } from "@preact/signals";

import { request } from "../api";
import type { ResultOf, VariablesOf } from "../graphql";
import { TimelineQuery } from "../operations";
import { addConversation, conversations, isUnread, messages, putConversation, putMessage, type Message } from "./data";

/** Most messages that the page holds. */
export const MAX = 300;
const PAGE = 40;

interface Entry {
  id: string;
  sequence: number;
  cursor: string | null;
}

export interface Window {
  entries: Entry[];
  hasOlder: boolean;
  hasNewer: boolean;
}

export interface Timeline {
  /** Undefined while the first page loads; null if the conversation does not exist for the viewer. */
  window: Signal<Window | undefined | null>;
  /** The first unread message when the timeline was opened; the "New" line is above it. */
  newFrom: Signal<string | null>;
  loading: Signal<"older" | "newer" | null>;
  failed: Signal<unknown>;
}

export const timelines = new Map<string, Timeline>();

export function timeline(conversationId: string): Timeline {
  let found = timelines.get(conversationId);
  if (!found) {
    found = { window: signal(undefined), newFrom: signal(null), loading: signal(null), failed: signal(null) };
    timelines.set(conversationId, found);
  }
  return found;
}

type Loaded = NonNullable<ResultOf<typeof TimelineQuery>["conversation"]>;
type Place = VariablesOf<typeof TimelineQuery>["around"];

function keep({ messages: page, ...conversation }: Loaded): Entry[] {
  putConversation(conversation);
  if (conversation.viewerMembership) addConversation(conversation.id);
  return page.edges.map(({ cursor, node }) => {
    const { id, sequence } = putMessage(node);
    return { id, sequence, cursor };
  });
}

/** Adds entries in order, each once. */
function merge(entries: Entry[], more: Entry[]): Entry[] {
  const known = new Map(entries.map((entry) => [entry.id, entry]));
  for (const entry of more) known.set(entry.id, { ...entry, cursor: entry.cursor ?? known.get(entry.id)?.cursor ?? null });
  return [...known.values()].sort((a, b) => a.sequence - b.sequence);
}

/** Root messages that an event delivered while the page was loading. */
function arrivedAfter(conversationId: string, sequence: number): Entry[] {
  return messages
    .all()
    .filter((row) => row.conversationId === conversationId && !row.parentId && row.sequence > sequence)
    .map(({ id, sequence }) => ({ id, sequence, cursor: null }));
}

function requestAround(conversationId: string, messageId?: string) {
  const around: Place = messageId ? { messageId } : { place: "FIRST_UNREAD" };
  return request(TimelineQuery, { id: conversationId, around, first: 25, last: 25 });
}

interface Early {
  conversationId: string;
  messageId: string | undefined;
  result: ReturnType<typeof requestAround>;
  /** Where the stream of events begins. */
  cursor: string | null;
}

let early: Early | null = null;
/** How long the page may take to use it, in milliseconds. */
const EARLY = 1_000;

/** Requests a timeline at the same time as everything else that the first page needs. */
export function requestEarly(conversationId: string, messageId?: string): void {
  const requested: Early = { conversationId, messageId, result: requestAround(conversationId, messageId), cursor: null };
  early = requested;
  requested.result.catch(() => {
    if (early === requested) early = null;
  });
}

/** Says where the stream begins, once that is known. A page that opens something else soon forgets the early request. */
export function settleEarly(cursor: string | null): void {
  const settled = early;
  if (!settled) return;
  settled.cursor = cursor;
  setTimeout(() => {
    if (early === settled) early = null;
  }, EARLY);
}

/** Takes the result of the early request, if there was no event between it and the beginning of the stream. */
async function takeEarly(conversationId: string, messageId?: string): ReturnType<typeof requestAround> {
  const taken = early;
  early = null;
  if (taken?.conversationId === conversationId && taken.messageId === messageId) {
    const result = await taken.result;
    if (result.eventCursor === taken.cursor) return result;
  }
  return requestAround(conversationId, messageId);
}

/** Opens a timeline at the first unread message, or at a message. */
export async function open(conversationId: string, messageId?: string): Promise<void> {
  const line = timeline(conversationId);
  line.failed.value = null;
  try {
    const { conversation } = await takeEarly(conversationId, messageId);
    if (!conversation) {
      line.window.value = null;
      return;
    }
    const entries = keep(conversation);
    const { hasPreviousPage, hasNextPage } = conversation.messages.pageInfo;
    const last = entries.at(-1)?.sequence ?? -1;
    line.window.value = {
      entries: hasNextPage ? entries : merge(entries, arrivedAfter(conversationId, last)),
      hasOlder: hasPreviousPage,
      hasNewer: hasNextPage,
    };
    markNew(conversationId);
  } catch (error) {
    line.failed.value = error;
  }
}

/** Puts the "New" line above the first unread message of the window. */
export function markNew(conversationId: string): void {
  const line = timeline(conversationId);
  const first = line.window.peek()?.entries.find(({ id }) => isUnread(messages.peek(id)));
  line.newFrom.value = first?.id ?? null;
}

/** Opens a timeline at its end. */
export async function openEnd(conversationId: string): Promise<void> {
  const line = timeline(conversationId);
  const { conversation } = await request(TimelineQuery, { id: conversationId, last: PAGE });
  if (!conversation) return;
  const entries = keep(conversation);
  const { hasPreviousPage } = conversation.messages.pageInfo;
  const last = entries.at(-1)?.sequence ?? -1;
  line.window.value = {
    entries: merge(entries, arrivedAfter(conversationId, last)),
    hasOlder: hasPreviousPage,
    hasNewer: false,
  };
}

export async function load(conversationId: string, direction: "older" | "newer"): Promise<void> {
  const line = timeline(conversationId);
  const window = line.window.peek();
  if (!window || line.loading.peek()) return;
  const isOlder = direction === "older";
  if (isOlder ? !window.hasOlder : !window.hasNewer) return;
  const cursors = window.entries.filter(({ cursor }) => cursor !== null);
  const cursor = (isOlder ? cursors[0] : cursors.at(-1))?.cursor;
  line.loading.value = direction;
  try {
    const { conversation } = await request(
      TimelineQuery,
      isOlder ? { id: conversationId, last: PAGE, before: cursor } : { id: conversationId, first: PAGE, after: cursor },
    );
    const now = line.window.peek();
    if (!conversation || !now) return;
    const { hasPreviousPage, hasNextPage } = conversation.messages.pageInfo;
    let entries = merge(now.entries, keep(conversation));
    let { hasOlder, hasNewer } = now;
    if (isOlder) hasOlder = hasPreviousPage;
    else hasNewer = hasNextPage;
    if (!isOlder && !hasNextPage) entries = merge(entries, arrivedAfter(conversationId, entries.at(-1)?.sequence ?? -1));
    // The far side leaves the page.
    if (entries.length > MAX) {
      if (isOlder) hasNewer = true;
      else hasOlder = true;
      entries = isOlder ? entries.slice(0, MAX) : entries.slice(-MAX);
    }
    line.window.value = { entries, hasOlder, hasNewer };
  } catch {
    // Scrolling tries again; the connection bar says what is wrong.
  } finally {
    line.loading.value = null;
  }
}

/** Adds a message that was just sent, if the window reaches the end. */
export function arrived(message: Message): void {
  const line = timelines.get(message.conversationId);
  const window = line?.window.peek();
  if (!line || !window || message.parentId || window.hasNewer) return;
  const entry = { id: message.id, sequence: message.sequence, cursor: null };
  let entries = merge(window.entries, [entry]);
  let { hasOlder } = window;
  if (entries.length > MAX) {
    entries = entries.slice(-MAX);
    hasOlder = true;
  }
  line.window.value = { ...window, entries, hasOlder };
}

export function removed(conversationId: string, messageId: string): void {
  const line = timelines.get(conversationId);
  const window = line?.window.peek();
  if (!line || !window) return;
  line.window.value = { ...window, entries: window.entries.filter(({ id }) => id !== messageId) };
}

/** Loads the windows again after missed events. Only the open one stays; the others load when they are opened. */
export async function reloadWindows(openId: string | null, anchorId?: string): Promise<void> {
  for (const [id, line] of timelines) {
    if (id !== openId) line.window.value = undefined;
  }
  if (openId && conversations.peek(openId)) await open(openId, anchorId);
}
