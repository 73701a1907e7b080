// The reference client of `graphql-transport-ws`: all three kinds of operation over one socket.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { ask, FOLLOW, HEAR, pair, SEND, socket, VIEWER } from "./people.js";

let ann;
let bob;
let conversationId;
let client;

const connect = (authorization) =>
  createClient({
    url: socket,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: authorization === undefined ? undefined : { authorization },
  });

/** The only answer to an operation that has one. */
async function once(query, variables) {
  const answers = [];
  for await (const answer of client.iterate({ query, variables })) answers.push(answer);
  assert.equal(answers.length, 1);
  assert.equal(answers[0].errors, undefined);
  return answers[0].data;
}

before(async () => {
  ({ ann, bob, conversationId } = await pair());
  client = connect(`Bearer ${bob.token}`);
});

after(() => client?.dispose());

test("a query is answered once", async () => {
  const { viewer } = await once(VIEWER);
  assert.equal(viewer.user.id, bob.id);
});

test("a mutation is answered once", async () => {
  const { sendMessage } = await once(SEND, { conversationId, body: "over the socket" });
  assert.equal(sendMessage.message.body, "over the socket");
});

test("a subscription to everything opens, then tells what is sent elsewhere", async () => {
  const events = client.iterate({ query: FOLLOW });
  const opened = await events.next();
  assert.equal(opened.value.data?.events.__typename, "StreamOpenedEvent", JSON.stringify(opened.value));
  const { sendMessage } = await ask(SEND, { conversationId, body: "for the stream" }, ann.token);
  for await (const { data, errors } of events) {
    assert.equal(errors, undefined);
    if (data.events.__typename !== "MessageSentEvent") continue;
    assert.equal(data.events.message.id, sendMessage.message.id);
    break;
  }
});

test("a subscription to one conversation tells its messages", async () => {
  // It has no opening event, so Ann goes on talking until Bob has heard something.
  let heard = false;
  const talking = (async () => {
    for (let number = 1; !heard; number += 1) {
      await ask(SEND, { conversationId, body: `are you there? ${number}` }, ann.token);
    }
  })();
  for await (const { data, errors } of client.iterate({ query: HEAR, variables: { conversationId } })) {
    assert.equal(errors, undefined);
    assert.equal(data.messageSent.sender.id, ann.id);
    heard = true;
    break;
  }
  await talking;
});

test("a token that is none closes the socket with 4403", async () => {
  const stranger = connect("Bearer nonsense");
  await assert.rejects(
    async () => {
      for await (const answer of stranger.iterate({ query: VIEWER })) assert.fail(JSON.stringify(answer));
    },
    { code: 4403 },
  );
  await stranger.dispose();
});
