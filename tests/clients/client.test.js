// Heddle's own client (web/client.js) under Node, over a network that fails: connections are cut at random moments,
// tokens live for seconds. HEDDLE_URL names a server with such tokens.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import WebSocket from "ws";

import { Heddle, HeddleError } from "../../web/client.js";
import { request, endpoint, origin } from "./people.js";

const MESSAGES = 60;
const SELECT = "... on MessageSentEvent { message { body } }";
const OPEN = `mutation ($ids: [ID!]!) {
  openDirectConversation(input: { userIds: $ids }) { conversation { id } }
}`;
const HISTORY = `query ($id: ID!) {
  eventCursor
  conversation(id: $id) { messages(first: 100) { nodes { body clientMessageId } } }
}`;

/** A way to the server that can be cut. */
const line = { url: "", cuts: 0, open: new Set(), server: createServer() };
let ann;
let bob;
let conversationId;

/** Registers a user over the unreliable network. */
async function person(name, options) {
  const client = new Heddle(line.url, { WebSocket, ...options });
  const username = `${name.toLowerCase()}_${randomUUID().slice(0, 8)}`;
  const password = randomUUID();
  await client.register({ username, password, displayName: name, email: `${username}@example.com` });
  const { viewer } = await client.request("{ viewer { user { id } } }");
  return Object.assign(client, { id: viewer.user.id, username, password });
}

/** Ends when `condition` holds. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function cut() {
  line.cuts += 1;
  for (const socket of line.open) socket.destroy();
}

/** Cuts every connection now and then, until stopped. */
function cutting() {
  let timer;
  const again = () => {
    timer = setTimeout(() => (cut(), again()), 100 + Math.random() * 500);
  };
  again();
  return () => clearTimeout(timer);
}

before(async () => {
  const { hostname, port } = new URL(origin);
  line.server.on("connection", (near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      line.open.add(from);
      from.on("error", () => {}).on("close", () => (line.open.delete(from), to.destroy()));
      from.pipe(to);
    }
  });
  await new Promise((resolve) => line.server.listen(0, "127.0.0.1", resolve));
  line.url = `http://127.0.0.1:${line.server.address().port}/graphql`;
  [ann, bob] = [await person("Ann"), await person("Bob")];
  ({ openDirectConversation: { conversation: { id: conversationId } } } = await ann.request(OPEN, { ids: [bob.id] }));
});

after(() => {
  line.server.close();
  cut();
});

test("its types are correct", async () => {
  const client = fileURLToPath(new URL("../../web/client.js", import.meta.url));
  const flags = ["--noEmit", "--strict", "--allowJs", "--checkJs", "--types", "", "--module", "esnext"];
  const target = ["--target", "es2022", "--lib", "es2022,dom,dom.iterable"];
  await promisify(execFile)("npx", ["--no-install", "tsc", ...flags, ...target, client]);
});

test("it is short and depends on nothing", async () => {
  const text = await (await fetch(`${origin}/client.js`)).text();
  assert.ok(text.split("\n").length < 450);
  assert.doesNotMatch(text, /^import /m);
});

test("failures have a code and a path", async () => {
  await assert.rejects(ann.request("query Bad($id: ID!) { nothing(id: $id) { id } }", { id: "x" }), (error) => {
    assert.ok(error instanceof HeddleError);
    assert.equal(error.code, "BAD_USER_INPUT");
    return true;
  });
  const input = { conversationId: "cnv_00000000000000000000000000", body: "x" };
  await assert.rejects(ann.send(input).sent, (error) => {
    assert.equal(error.code, "NOT_FOUND");
    assert.deepEqual(error.path, ["sendMessage"]);
    return true;
  });
  const nowhere = new Heddle("http://127.0.0.1:1/graphql");
  await assert.rejects(nowhere.request("{ __typename }"), { code: "NETWORK" });
});

test("nothing is lost or repeated while connections are cut and tokens expire", async () => {
  const { eventCursor } = await bob.request("{ eventCursor }");
  const received = [];
  const tokens = new Set();
  const listening = bob.listen({
    after: eventCursor,
    select: SELECT,
    filter: { categories: ["MESSAGES"] },
    event: (event) => {
      tokens.add(bob.store.get().accessToken);
      received.push(event.message);
    },
    reset: () => assert.fail("a cursor was lost"),
    ended: (error) => assert.fail(error),
  });
  const stop = cutting();
  const sending = [];
  for (let number = 0; number < MESSAGES; number += 1) {
    sending.push(ann.send({ conversationId, body: `${number}` }));
    // Spread over the lives of several tokens.
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const sent = await Promise.all(sending.map(({ sent }) => sent));
  stop();
  await until(() => received.length >= MESSAGES);
  listening.close();
  const bodies = Array.from({ length: MESSAGES }, (_, number) => `${number}`);
  const keys = sending.map(({ draft }) => draft.clientMessageId);
  assert.ok(line.cuts > 10, `${line.cuts} cuts`);
  assert.ok(tokens.size > 1, "no token expired");
  assert.deepEqual(received.map(({ body }) => body), bodies);
  assert.equal(new Set(sent.map(({ id }) => id)).size, MESSAGES);
  const { conversation } = await ann.request(HISTORY, { id: conversationId });
  assert.deepEqual(conversation.messages.nodes.map((message) => message.clientMessageId).sort(), keys.sort());
});

test("a stream that cannot be resumed starts again and reports the reset", async () => {
  let resets = 0;
  const received = [];
  const listening = bob.listen({
    after: "nonsense",
    select: SELECT,
    reset: () => (resets += 1),
    event: (event) => event.__typename === "MessageSentEvent" && received.push(event.message.body),
  });
  await until(() => listening.cursor !== "nonsense");
  assert.equal(resets, 1);
  await ann.send({ conversationId, body: "after the reset" }).sent;
  await until(() => received.length > 0);
  assert.deepEqual(received, ["after the reset"]);
  listening.close();
});

test("concurrent renewals are one request", async () => {
  const { store } = ann;
  const { accessToken } = store.get();
  // Two tabs with one store: neither may use a refresh token that the other has used.
  const tabs = [ann, new Heddle(line.url, { store, WebSocket })];
  for (let round = 0; round < 3; round += 1) {
    store.set({ ...store.get(), renewAt: 0 });
    const requests = Array.from({ length: 10 }, (_, n) => tabs[n % 2].request("{ viewer { user { username } } }"));
    for (const { viewer } of await Promise.all(requests)) assert.equal(viewer.user.username, ann.username);
  }
  assert.notEqual(store.get().accessToken, accessToken);
});

test("a session that ends, ends the stream and the sign-in", async () => {
  const changes = [];
  const client = await person("Cleo", { changed: (signedIn) => changes.push(signedIn) });
  const { accessToken } = client.store.get();
  let end;
  const states = [];
  const listening = client.listen({ event: () => {}, state: (state) => states.push(state), ended: (error) => (end = error) });
  await until(() => listening.cursor);
  await request("mutation { signOut { endedSessionId } }", undefined, accessToken);
  await until(() => end);
  assert.equal(end.code, "UNAUTHENTICATED");
  assert.deepEqual(states, ["connecting", "live", "waiting", "ended"].filter((state) => state !== "waiting"));
  client.store.set({ ...client.store.get(), renewAt: 0 });
  await assert.rejects(client.request("{ viewer { id } }"), { code: "UNAUTHENTICATED" });
  assert.equal(client.isSignedIn, false);
  assert.deepEqual(changes, [true, false]);
  await client.signIn(client.username, client.password);
  assert.equal((await client.request("{ viewer { user { username } } }")).viewer.user.username, client.username);
  await client.signOut();
  assert.equal((await client.request("{ viewer { id } }")).viewer, null);
});

test("the listener of the README reports that no server answers", async () => {
  const free = createServer();
  await new Promise((resolve) => free.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${free.address().port}`;
  await new Promise((resolve) => free.close(resolve));
  const file = fileURLToPath(new URL("listen.js", import.meta.url));
  const listening = spawn("node", [file], { env: { ...process.env, HEDDLE_URL: url, TOKEN: "none" } });
  let printed = "";
  listening.stderr.on("data", (text) => (printed += text));
  await until(() => printed.includes("\n"));
  listening.kill();
  assert.ok(printed.startsWith(`No server answers: ${url}.`), printed);
});

test("it is served with a checksum", async () => {
  const first = await fetch(`${origin}/client.js`);
  assert.equal(first.headers.get("content-type"), "text/javascript; charset=utf-8");
  const etag = first.headers.get("etag");
  assert.match(etag, /^"[\w-]{43}"$/);
  const headers = { "if-none-match": `"other", W/${etag}` };
  assert.equal((await fetch(`${origin}/client.js`, { headers })).status, 304);
  assert.equal((await fetch(`${origin}/client.js`, { method: "POST" })).status, 405);
  assert.ok(endpoint.startsWith(origin));
});
