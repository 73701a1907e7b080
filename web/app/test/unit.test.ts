import assert from "node:assert/strict";
import { test } from "node:test";

import { difference } from "../src/difference";
import { textOf } from "../src/graphql";
import { StartQuery } from "../src/operations";
import { messages, notifications, putCore, type Message, type Notification } from "../src/store/data";
import { apply, notificationIds, type Event } from "../src/store/events";
import { Table } from "../src/store/table";
import { tree } from "../src/store/thread";
import { ar } from "../src/text/ar";
import { en } from "../src/text/en";
import { ja } from "../src/text/ja";

test("each pending change can be taken back alone", () => {
  const table = new Table<{ id: string; title: string; isPinned: boolean }>();
  table.put({ id: "1", title: "Loom", isPinned: false });
  const pin = table.change("1", { isPinned: true });
  const title = table.change("1", { title: "Looms" });
  assert.deepEqual(table.peek("1"), { id: "1", title: "Looms", isPinned: true });
  table.put({ id: "1", title: "Loom two" });
  title.drop();
  assert.deepEqual(table.peek("1"), { id: "1", title: "Loom two", isPinned: true });
  pin.drop();
  assert.deepEqual(table.peek("1"), { id: "1", title: "Loom two", isPinned: false });
});

test("a patch never creates half a row", () => {
  const table = new Table<{ id: string; title: string }>();
  table.patch({ id: "1", title: "Loom" });
  assert.equal(table.peek("1"), undefined);
});

/** A generator of numbers below `limit` that a seed determines. */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

test("a difference contains both texts", () => {
  const words = ["warp", "weft", "の", "糸", "خيط", ",", "."];
  for (let seed = 1; seed <= 300; seed += 1) {
    const pick = random(seed);
    const sentence = () => Array.from({ length: pick(12) }, () => words[pick(words.length)]).join(" ");
    const [before, after] = [sentence(), sentence()];
    const parts = difference(before, after);
    const only = (kind: string) => parts.filter((part) => part.kind === "same" || part.kind === kind).map(({ text }) => text).join("");
    assert.equal(only("removed"), before);
    assert.equal(only("added"), after);
  }
});

test("a tree of replies has every reply once, below its parent, in the order of sending", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const pick = random(seed);
    const count = 1 + pick(40);
    const rows = Array.from({ length: count }, (_, at) => ({
      id: `m${at}`,
      sequence: at,
      parentId: at === 0 || pick(4) === 0 ? "root" : `m${pick(at)}`,
    })) as unknown as Message[];
    const shuffled = [...rows].sort(() => pick(3) - 1);
    const seen: string[] = [];
    const visit = (nodes: ReturnType<typeof tree>, depth: number, parentId: string) => {
      let last = -1;
      for (const node of nodes) {
        const row = rows.find(({ id }) => id === node.id)!;
        assert.equal(row.parentId, parentId);
        assert.equal(node.depth, depth);
        assert.ok(row.sequence > last);
        last = row.sequence;
        seen.push(node.id);
        const before = seen.length;
        visit(node.children, depth + 1, node.id);
        assert.equal(seen.length - before, node.count);
      }
    };
    visit(tree("root", shuffled), 1, "root");
    assert.equal(seen.length, count);
  }
});

test("a message keeps its thread when an event without one arrives", () => {
  const row = { id: "msg_1", sender: null, conversation: { id: "cnv_1" }, parent: null, notice: null, mentions: [] };
  putCore({ ...row, body: "One" } as unknown as Parameters<typeof putCore>[0], "thr_1");
  messages.patch({ id: "msg_1", body: "Two" });
  assert.equal(messages.peek("msg_1")?.threadId, "thr_1");
  assert.equal(messages.peek("msg_1")?.body, "Two");
});

test("notifications go with their conversation, and are loaded again when all of them changed", () => {
  for (const id of ["1", "2"]) notifications.put({ id: `ntf_${id}`, conversationId: `cnv_${id}` } as Notification);
  notificationIds.value = ["ntf_2", "ntf_1"];
  apply({ __typename: "ConversationLeftEvent", conversationId: "cnv_1" } as Event);
  assert.deepEqual(notificationIds.value, ["ntf_2"]);
  apply({ __typename: "NotificationsChangedEvent", notificationIds: ["ntf_2"], occurredAt: "2026-11-30T08:00:00Z" } as Event);
  assert.equal(notifications.peek("ntf_2")?.readAt, "2026-11-30T08:00:00Z");
  assert.deepEqual(notificationIds.value, ["ntf_2"]);
  apply({ __typename: "NotificationsChangedEvent", notificationIds: null } as Event);
  assert.equal(notificationIds.value, null);
});

test("a document contains each of its fragments once", () => {
  const text = textOf(StartQuery);
  assert.equal(text.split("fragment UserFields on").length, 2);
  assert.equal(text.split("fragment ConversationFields on").length, 2);
});

test("every language has its own texts", () => {
  for (const [name, texts] of Object.entries({ ar, ja })) {
    const same = Object.entries(texts).filter(([key, text]) => typeof text === "string" && text === en[key as keyof typeof en]);
    assert.deepEqual(same, [], name);
  }
});
