// Replies of a thread. The page of a thread is a prefix of the tree, so the loaded replies always form a tree.
import { signal, type Signal } from "@preact/signals";

import { request } from "../api";
import { ThreadQuery } from "../operations";
import { isUnread, messages, putCore, putMessage, putThread, threads, type Message } from "./data";

export interface Replies {
  /** Undefined while the first page loads; null if the thread does not exist for the viewer. */
  ids: Signal<string[] | undefined | null>;
  /** The cursor of the next page; null at the end. */
  next: Signal<string | null>;
  loading: Signal<boolean>;
  failed: Signal<unknown>;
  /** The first unread reply when the thread was opened. */
  newFrom: Signal<string | null>;
}

/** By the id of the root message: it exists before its thread does. */
const all = new Map<string, Replies>();

export function replies(rootId: string): Replies {
  let found = all.get(rootId);
  if (!found) {
    found = { ids: signal(undefined), next: signal(null), loading: signal(false), failed: signal(null), newFrom: signal(null) };
    all.set(rootId, found);
  }
  return found;
}

/** The loaded replies of each thread, by the id of its root. */
export const loadedReplies = (): [string, string[]][] => [...all].flatMap(([rootId, { ids }]): [string, string[]][] => {
  const now = ids.peek();
  return now ? [[rootId, now]] : [];
});

/** Loads a thread by its id. Returns the id of its root message, or null if there is no such thread for the viewer. */
export async function openThread(threadId: string): Promise<string | null> {
  const known = threads.peek(threadId)?.rootId;
  const list = known ? replies(known) : undefined;
  try {
    const { thread } = await request(ThreadQuery, { id: threadId, after: null });
    if (!thread) return null;
    putThread(thread);
    const root = putMessage(thread.root);
    const loaded = thread.replies.nodes.map((node) => putCore(node, thread.id));
    const into = replies(root.id);
    into.failed.value = null;
    // Replies that an event delivered while the page was loading.
    const ids = new Set(loaded.map(({ id }) => id));
    for (const id of into.ids.peek() ?? []) if (messages.peek(id)) ids.add(id);
    into.ids.value = [...ids];
    into.next.value = thread.replies.pageInfo.hasNextPage ? thread.replies.pageInfo.endCursor : null;
    const unread = loaded.filter(isUnread).sort((a, b) => a.sequence - b.sequence);
    into.newFrom.value = unread[0]?.id ?? null;
    return root.id;
  } catch (error) {
    if (list) list.failed.value = error;
    throw error;
  }
}

/** A message without replies: its thread starts with the first one. */
export function openEmpty(rootId: string): void {
  const list = replies(rootId);
  if (list.ids.peek() === undefined) list.ids.value = [];
}

export async function loadMore(rootId: string): Promise<void> {
  const list = replies(rootId);
  const threadId = messages.peek(rootId)?.threadId;
  const after = list.next.peek();
  if (!threadId || !after || list.loading.peek()) return;
  list.loading.value = true;
  try {
    const { thread } = await request(ThreadQuery, { id: threadId, after });
    if (!thread) return;
    const more = thread.replies.nodes.map((node) => putCore(node, thread.id).id);
    list.ids.value = [...new Set([...(list.ids.peek() ?? []), ...more])];
    list.next.value = thread.replies.pageInfo.hasNextPage ? thread.replies.pageInfo.endCursor : null;
  } finally {
    list.loading.value = false;
  }
}

/** Adds a reply that was just sent. */
export function replyArrived(message: Message): void {
  const rootId = message.threadId && threads.peek(message.threadId)?.rootId;
  const list = rootId ? all.get(rootId) : undefined;
  const ids = list?.ids.peek();
  if (list && ids && !ids.includes(message.id)) list.ids.value = [...ids, message.id];
}

export function replyRemoved(messageId: string): void {
  for (const list of all.values()) {
    const ids = list.ids.peek();
    if (ids?.includes(messageId)) list.ids.value = ids.filter((id) => id !== messageId);
  }
}

export function forgetThreads(exceptRootId: string | null): void {
  for (const [id, list] of all) if (id !== exceptRootId) list.ids.value = undefined;
}

/** A reply's place in the tree. */
export interface Node {
  id: string;
  depth: number;
  parent: Node | null;
  children: Node[];
  /** Replies below this one that are loaded. */
  count: number;
  /** The index among the siblings. */
  at: number;
}

/** What is unread in a branch: how much, and the index of the last child that leads to some of it. */
export interface News {
  count: number;
  last: number;
}

/** Counts what is unread in each branch that has something unread, by the id of its first reply. */
export function news(top: Node[], unread: ReadonlySet<string>): Map<string, News> {
  const found = new Map<string, News>();
  // Replies are deeper than their parents: walking backwards visits every child before its parent.
  for (const node of inOrder(top, new Set()).reverse()) {
    let [count, last] = [unread.has(node.id) ? 1 : 0, -1];
    for (const child of node.children) {
      const below = found.get(child.id);
      if (!below) continue;
      count += below.count;
      last = child.at;
    }
    if (count) found.set(node.id, { count, last });
  }
  return found;
}

/** The rows of a tree from top to bottom, without what is below folded branches. */
export function inOrder(top: Node[], folded: ReadonlySet<string>): Node[] {
  const rows: Node[] = [];
  const rest = [...top].reverse();
  for (let node = rest.pop(); node; node = rest.pop()) {
    rows.push(node);
    if (!folded.has(node.id)) for (let at = node.children.length - 1; at >= 0; at -= 1) rest.push(node.children[at]!);
  }
  return rows;
}

/** Builds the tree from the parents; siblings are in the order in which they were sent. */
export function tree(rootId: string, rows: Message[]): Node[] {
  const nodes = new Map<string, Node>();
  const sorted = [...rows].sort((a, b) => a.sequence - b.sequence);
  for (const row of sorted) nodes.set(row.id, { id: row.id, depth: 1, parent: null, children: [], count: 0, at: 0 });
  const top: Node[] = [];
  for (const row of sorted) {
    const node = nodes.get(row.id)!;
    const parent = row.parentId && row.parentId !== rootId ? nodes.get(row.parentId) : undefined;
    if (parent) {
      node.parent = parent;
      node.depth = parent.depth + 1;
      node.at = parent.children.length;
      parent.children.push(node);
      for (let above: Node | null = parent; above; above = above.parent) above.count += 1;
    } else {
      node.at = top.length;
      top.push(node);
    }
  }
  return top;
}
