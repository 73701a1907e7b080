// The reference client of graphql-sse, in its distinct connections mode, and curl, which needs none.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import { createClient } from "graphql-sse";

import { request, endpoint, FOLLOW, SUBSCRIBE, pair, SEND, VIEWER } from "./people.js";

let ann;
let bob;
let conversationId;
let client;
/** What the next connection goes on after. */
let lastEventId;

const connect = (token) =>
  createClient({
    url: endpoint,
    retryAttempts: 0,
    headers: () => ({
      authorization: `Bearer ${token}`,
      ...(lastEventId ? { "last-event-id": lastEventId } : {}),
    }),
  });

/** Returns the response of an operation that has exactly one. */
async function once(query, variables) {
  const responses = [];
  for await (const response of client.iterate({ query, variables })) responses.push(response);
  assert.equal(responses.length, 1);
  return responses[0];
}

before(async () => {
  ({ ann, bob, conversationId } = await pair());
  client = connect(bob.token);
});

after(() => client?.dispose());

test("a query and a mutation return one result", async () => {
  const { data } = await once(VIEWER);
  assert.equal(data.viewer.user.id, bob.id);
  const sent = await once(SEND, { conversationId, body: "as an event" });
  assert.equal(sent.data.sendMessage.message.body, "as an event");
});

test("a failed operation returns its error", async () => {
  for (const query of ["{ nothing }", "{", "subscription { nothing }"]) {
    const { data, errors } = await once(query);
    assert.equal(data, undefined);
    assert.equal(errors[0].extensions.code, "BAD_USER_INPUT");
  }
});

test("a stream is resumed after the last event", async () => {
  const first = client.iterate({ query: FOLLOW });
  const opened = await first.next();
  assert.equal(opened.value.data?.events.__typename, "StreamOpenedEvent", JSON.stringify(opened.value));
  lastEventId = opened.value.data.events.cursor;
  await first.return();
  const { sendMessage } = await request(SEND, { conversationId, body: "while no one listened" }, ann.token);
  for await (const { data, errors } of client.iterate({ query: FOLLOW })) {
    assert.equal(errors, undefined);
    if (data.events.__typename !== "MessageSentEvent") continue;
    assert.equal(data.events.message.id, sendMessage.message.id);
    break;
  }
  lastEventId = undefined;
});

test("an invalid token is rejected", async () => {
  const stranger = connect("nonsense");
  for await (const { errors } of stranger.iterate({ query: FOLLOW })) {
    assert.equal(errors[0].extensions.code, "UNAUTHENTICATED");
  }
  stranger.dispose();
});

test("curl -N shows events", async () => {
  const body = JSON.stringify({ query: SUBSCRIBE, variables: { conversationId } });
  const curl = spawn("curl", [
    ...["-sSN", endpoint, "-H", "accept: text/event-stream", "-H", "content-type: application/json"],
    ...["-H", `authorization: Bearer ${bob.token}`, "-d", body],
  ]);
  // The stream has no opening event, so Ann goes on talking until something was shown.
  let received = false;
  const talking = (async () => {
    for (let number = 1; !received; number += 1) {
      await request(SEND, { conversationId, body: `are you there? ${number}` }, ann.token);
    }
  })();
  const lines = [];
  for await (const line of createInterface({ input: curl.stdout })) {
    lines.push(line);
    if (line.startsWith("data:")) break;
  }
  received = true;
  await talking;
  curl.kill();
  assert.deepEqual(lines.slice(0, 3), [":", "", "event: next"]);
  assert.equal(JSON.parse(lines[3].slice(5)).data.messageSent.sender.id, ann.id);
});
