// urql as an application sets it up: fetch for queries and mutations, graphql-ws for subscriptions.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { cacheExchange, Client, fetchExchange, subscriptionExchange } from "@urql/core";

import { request, endpoint, FOLLOW, pair, SEND, VIEWER } from "./people.js";
import { connect } from "./websocket.js";

let ann;
let bob;
let conversationId;
let sockets;
let client;

before(async () => {
  ({ ann, bob, conversationId } = await pair());
  const authorization = `Bearer ${bob.token}`;
  sockets = connect(authorization);
  client = new Client({
    url: endpoint,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization } },
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
});

after(() => sockets?.dispose());

test("a query returns data by POST and by GET", async () => {
  for (const preferGetMethod of [false, "force"]) {
    const { data, error } = await client.query(VIEWER, {}, { preferGetMethod, requestPolicy: "network-only" });
    assert.equal(error, undefined);
    assert.equal(data.viewer.user.id, bob.id);
  }
});

test("a mutation returns data", async () => {
  const { data, error } = await client.mutation(SEND, { conversationId, body: "from urql" });
  assert.equal(error, undefined);
  assert.equal(data.sendMessage.message.body, "from urql");
});

test("a subscription receives messages of other users", async () => {
  const body = "to urql";
  const received = await new Promise((resolve, reject) => {
    const following = client.subscription(FOLLOW, {}).subscribe(({ data, error }) => {
      if (error) reject(error);
      else if (data.events.__typename === "StreamOpenedEvent") {
        request(SEND, { conversationId, body }, ann.token).catch(reject);
      } else if (data.events.__typename === "MessageSentEvent") {
        following.unsubscribe();
        resolve(data.events.message);
      }
    });
  });
  assert.equal(received.body, body);
});
