// The store of the web client against the server: after a random history, what events have made of it equals what a fresh
// load shows. HEDDLE_URL names the server.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

import { WebSocket } from "ws";

import { origin, person, request } from "./people.js";

const app = fileURLToPath(new URL("../../web/app", import.meta.url));
execFileSync("npx", ["vite", "build", "--config", "test/store.vite.config.js"], { cwd: app });
globalThis.WebSocket = WebSocket;
globalThis.location = { href: origin };

const stores = [];

/** A store of its own: modules are loaded once per address. */
async function load(name) {
  const store = await import(`${app}/node_modules/.store/store.js?${name}`);
  stores.push(store);
  return store;
}

after(() => stores.forEach((store) => store.stop()));

/** A generator of numbers below `limit` that a seed determines. */
function random(seed) {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const INPUTS = {
  sendMessage: ["SendMessageInput", "message { id parent { id } thread { id } }"],
  editMessage: ["EditMessageInput", "message { id }"],
  deleteMessage: ["DeleteMessageInput", "deletedMessageId message { id }"],
  markMessagesRead: ["MarkMessagesReadInput", "markedCount"],
  markConversationsRead: ["MarkConversationsReadInput", "markedCount"],
  markThreadRead: ["MarkThreadReadInput", "markedCount"],
  followThread: ["FollowThreadInput", "thread { id }"],
  unfollowThread: ["UnfollowThreadInput", "thread { id }"],
  updateConversation: ["UpdateConversationInput", "conversation { id }"],
  updateConversationSettings: ["UpdateConversationSettingsInput", "conversation { id }"],
  createConversation: ["CreateConversationInput", "conversation { id }"],
  addParticipants: ["AddParticipantsInput", "participants { id }"],
  removeParticipant: ["RemoveParticipantInput", "removedParticipantId"],
  updateProfile: ["UpdateProfileInput", "viewer { id }"],
};

/** Runs a mutation as a person. */
async function act(who, name, input) {
  const [type, selection] = INPUTS[name];
  const data = await request(`mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} } }`, { input }, who.token);
  return data[name];
}

/** Loads everything that Ada sees. */
async function loadAll(store) {
  await store.start();
  for (const id of store.conversationIds.peek()) await store.open(id);
  for (const { id } of store.threads.all()) await store.openThread(id);
}

/** What a store shows, without what depends on when it was loaded. */
function shown(store) {
  const rows = [...store.conversationIds.peek()].sort();
  const picture = {};
  for (const id of rows) {
    const { entries } = store.timeline(id).window.peek();
    const roots = entries.map((entry) => store.messages.peek(entry.id));
    const threads = roots.flatMap(({ threadId }) => (threadId ? [store.threads.peek(threadId)] : []));
    const visible = (nodes) => nodes.map((node) => [store.messages.peek(node.id), visible(node.children)]);
    picture[id] = {
      conversation: store.conversations.peek(id),
      roots,
      threads: threads.map((thread) => ({ ...thread, participantIds: [...thread.participantIds].sort() })),
      replies: threads.map(({ rootId }) => {
        const ids = store.replies(rootId).ids.peek() ?? [];
        return visible(store.tree(rootId, ids.map((reply) => store.messages.peek(reply)).filter(Boolean)));
      }),
    };
  }
  return { picture, unread: store.unread.peek() };
}

const LENGTH = 120;

for (const seed of process.env.HEDDLE_TEST_SEED ? [Number(process.env.HEDDLE_TEST_SEED)] : [1, 2, 3]) {
  test(`events lead to what a fresh load shows (seed ${seed})`, async () => {
    const pick = random(seed);
    const [ada, ben, cleo] = [await person("Ada"), await person("Ben"), await person("Cleo")];
    const people = [ada, ben, cleo];
    const rooms = [];
    const start = async () => {
      const { conversation } = await act(ben, "createConversation", { title: `Room ${rooms.length}`, participantIds: [ada.id, cleo.id] });
      rooms.push({ id: conversation.id, messages: [], threads: [] });
    };
    await start();
    await start();

    const live = await load(`live-${seed}`);
    await live.heddle.signIn(ada.username, ada.password);
    await loadAll(live);

    const send = async (who, room, parent) => {
      const body = pick(8) === 0 ? `Look, @${ada.username}` : `Text ${pick(1000)}`;
      const { message } = await act(who, "sendMessage", { conversationId: room.id, body, parentId: parent?.id ?? null });
      room.messages.push({ id: message.id, who });
      if (message.thread && !room.threads.includes(message.thread.id)) {
        room.threads.push(message.thread.id);
        // The person opens the thread at once, like a reader who follows it.
        await live.openThread(message.thread.id);
      }
    };
    const any = (list) => list[pick(list.length)];
    for (let step = 0; step < LENGTH; step += 1) {
      const [who, room] = [any(people), any(rooms)];
      const message = any(room.messages);
      const kind = pick(20);
      if (kind < 5 || !message) await send(who, room);
      else if (kind < 11) await send(who, room, message);
      else if (kind < 13) await act(message.who, "editMessage", { messageId: message.id, body: `Edited ${step}` });
      else if (kind < 14) {
        await act(message.who, "deleteMessage", { messageId: message.id });
        room.messages = room.messages.filter((other) => other !== message);
      } else if (kind < 15) await act(ada, "markMessagesRead", { messageIds: [message.id] });
      else if (kind < 16) await act(ada, "markConversationsRead", { conversations: [{ conversationId: room.id }] });
      else if (kind < 17 && room.threads.length) await act(ada, "markThreadRead", { threadId: any(room.threads) });
      else if (kind < 18 && room.threads.length) await act(ada, pick(2) ? "followThread" : "unfollowThread", { threadId: any(room.threads) });
      else if (kind < 19) await act(ada, "updateConversationSettings", { conversationId: room.id, isPinned: pick(2) === 0 });
      else if (pick(2)) await act(ben, "updateConversation", { conversationId: room.id, title: `Title ${step}` });
      else await act(who, "updateProfile", { displayName: `Name ${step}` });
    }
    // The last event of each room has arrived when its message has.
    for (const room of rooms) {
      const { message } = await act(ben, "sendMessage", { conversationId: room.id, body: "The end." });
      for (const end = Date.now() + 10_000; !live.messages.peek(message.id); ) {
        assert.ok(Date.now() < end, "the last message did not arrive");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    const fresh = await load(`fresh-${seed}`);
    await fresh.heddle.signIn(ada.username, ada.password);
    await loadAll(fresh);
    // The totals follow half a second after the last event.
    const isSame = () => isDeepStrictEqual(live.unread.peek(), fresh.unread.peek());
    for (const end = Date.now() + 5_000; !isSame() && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(shown(live), shown(fresh));
  });
}
