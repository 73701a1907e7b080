// The reference client of `graphql-transport-ws`: all three kinds of operation over one socket.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { request, FOLLOW, SUBSCRIBE, pair, SEND, VIEWER } from "./people.js";
import { connect } from "./websocket.js";

let ann;
let bob;
let conversationId;
let client;

/** Returns the response of an operation that has exactly one. */
async function once(query, variables) {
  const responses = [];
  for await (const response of client.iterate({ query, variables })) responses.push(response);
  assert.equal(responses.length, 1);
  assert.equal(responses[0].errors, undefined);
  return responses[0].data;
}

before(async () => {
  ({ ann, bob, conversationId } = await pair());
  client = connect(`Bearer ${bob.token}`);
});

after(() => client?.dispose());

test("a query returns one result", async () => {
  const { viewer } = await once(VIEWER);
  assert.equal(viewer.user.id, bob.id);
});

test("a mutation returns one result", async () => {
  const { sendMessage } = await once(SEND, { conversationId, body: "over the socket" });
  assert.equal(sendMessage.message.body, "over the socket");
});

test("a subscription to all events opens, then receives messages of other users", async () => {
  const events = client.iterate({ query: FOLLOW });
  const opened = await events.next();
  assert.equal(opened.value.data?.events.__typename, "StreamOpenedEvent", JSON.stringify(opened.value));
  const { sendMessage } = await request(SEND, { conversationId, body: "for the stream" }, ann.token);
  for await (const { data, errors } of events) {
    assert.equal(errors, undefined);
    if (data.events.__typename !== "MessageSentEvent") continue;
    assert.equal(data.events.message.id, sendMessage.message.id);
    break;
  }
});

test("a subscription to one conversation receives its messages", async () => {
  // It has no opening event, so Ann sends messages until Bob has received one.
  let received = false;
  const talking = (async () => {
    for (let number = 1; !received; number += 1) {
      await request(SEND, { conversationId, body: `are you there? ${number}` }, ann.token);
    }
  })();
  for await (const { data, errors } of client.iterate({ query: SUBSCRIBE, variables: { conversationId } })) {
    assert.equal(errors, undefined);
    assert.equal(data.messageSent.sender.id, ann.id);
    received = true;
    break;
  }
  await talking;
});

test("an invalid token closes the socket with 4403", async () => {
  const stranger = connect("Bearer nonsense");
  await assert.rejects(
    async () => {
      for await (const response of stranger.iterate({ query: VIEWER })) assert.fail(JSON.stringify(response));
    },
    { code: 4403 },
  );
  await stranger.dispose();
});
