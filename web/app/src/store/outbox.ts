// Messages that the viewer has sent and the server has not confirmed. They survive a reload, keep their order, and may
// reply to messages that are not sent yet.
import { signal } from "@preact/signals";

import { heddle, HeddleError } from "../api";
import { now } from "../clock";
import { messages, viewerId } from "./data";
import { read, storageFails, write } from "./storage";

export interface Outgoing {
  /** The idempotency key; also the id of the row in the page until the server's row replaces it. */
  id: string;
  userId: string;
  conversationId: string;
  /** The message that it answers: an id of the server, or the key of a message in this outbox. */
  parentId: string | null;
  /** The root of the thread, for a reply. */
  rootId: string | null;
  body: string;
  at: string;
  state: "waiting" | "failed";
  problem?: string;
  /** The id of the message, once it is sent. */
  sentId?: string;
}

export const outbox = signal<Outgoing[]>([]);

async function store(change: (rows: IDBObjectStore) => void): Promise<void> {
  // A full database: the message still waits in this page, which says so.
  storageFails.value = !(await write("outbox", change));
}

function save(row: Outgoing): void {
  outbox.value = outbox.peek().some(({ id }) => id === row.id)
    ? outbox.peek().map((other) => (other.id === row.id ? row : other))
    : [...outbox.peek(), row];
  void store((rows) => rows.put(row));
}

function drop(id: string): void {
  outbox.value = outbox.peek().filter((row) => row.id !== id);
  void store((rows) => rows.delete(id));
}

/** Continues with what an earlier page left. */
export async function restore(): Promise<void> {
  const rows = (await read<Outgoing[]>("outbox", (all) => all.getAll())) ?? [];
  const known = new Set(outbox.peek().map(({ id }) => id));
  const mine = rows.filter((row) => row.userId === viewerId.peek() && !known.has(row.id));
  mine.sort((a, b) => (a.at < b.at ? -1 : 1));
  outbox.value = [...mine, ...outbox.peek()];
  for (const id of new Set(mine.map((row) => row.conversationId))) void work(id);
}

/** Sends a message. It appears at once; the row with its key replaces it. */
export function send(message: Pick<Outgoing, "conversationId" | "parentId" | "rootId" | "body">): void {
  const userId = viewerId.peek();
  if (!userId) return;
  save({ ...message, id: crypto.randomUUID(), userId, at: new Date(now()).toISOString(), state: "waiting" });
  void work(message.conversationId);
}

export function retry(id: string): void {
  const row = outbox.peek().find((other) => other.id === id);
  if (!row) return;
  save({ ...row, state: "waiting" });
  void work(row.conversationId);
}

export const discard = drop;

const working = new Set<string>();

/** Sends the messages of one conversation, one after the other. */
async function work(conversationId: string): Promise<void> {
  if (working.has(conversationId)) return;
  working.add(conversationId);
  try {
    for (;;) {
      const row = outbox.peek().find(
        (other) => other.conversationId === conversationId && other.state === "waiting" && !other.sentId,
      );
      if (!row) return;
      await deliver(row);
    }
  } finally {
    working.delete(conversationId);
  }
}

async function deliver(row: Outgoing): Promise<void> {
  const above = outbox.peek().find(({ id }) => id === row.parentId);
  const parentId = above ? (above.sentId ?? sentIds.get(above.id)) : (sentIds.get(row.parentId ?? "") ?? row.parentId);
  if (above && !parentId) {
    save({ ...row, state: "failed", problem: "PARENT" });
    return;
  }
  try {
    const { conversationId, body, id: clientMessageId } = row;
    const { id } = await heddle.send({ conversationId, body, parentId: parentId ?? null, clientMessageId }).sent;
    sentIds.set(row.id, id);
    // The event with the message replaces it, and may have arrived already.
    if (messages.peek(id)) drop(row.id);
    else save({ ...row, sentId: id });
  } catch (error) {
    const problem = error instanceof HeddleError ? error.message : undefined;
    save({ ...row, state: "failed", ...(problem === undefined ? {} : { problem }) });
  }
}

/** Ids of sent messages by their key, for replies that wait. */
const sentIds = new Map<string, string>();

/** The event of a sent message has arrived. */
export function confirmed(clientMessageId: string | null): void {
  if (clientMessageId && outbox.peek().some(({ id }) => id === clientMessageId)) drop(clientMessageId);
}

/** Drops messages that a reload has brought. */
export function confirmLoaded(): void {
  for (const row of outbox.peek()) if (row.sentId && messages.peek(row.sentId)) drop(row.id);
}
