// Apollo Client as an application sets it up: HTTP and WebSocket links, the normalising cache with no
// configuration for our types.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";

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
  client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(sockets),
      new HttpLink({ uri: endpoint, headers: { authorization } }),
    ),
  });
});

after(async () => {
  client?.stop();
  await sockets?.dispose();
});

test("a query returns data, the second time from the cache", async () => {
  const { data } = await client.query({ query: gql(VIEWER) });
  assert.equal(data.viewer.user.id, bob.id);
  const again = await client.query({ query: gql(VIEWER), fetchPolicy: "cache-only" });
  assert.deepEqual(again.data, data);
});

test("a mutation returns data", async () => {
  const { data } = await client.mutate({
    mutation: gql(SEND),
    variables: { conversationId, body: "from Apollo" },
  });
  assert.equal(data.sendMessage.message.body, "from Apollo");
});

test("a subscription receives messages of other users", async () => {
  const body = "to Apollo";
  const received = await new Promise((resolve, reject) => {
    const following = client.subscribe({ query: gql(FOLLOW) }).subscribe({
      error: reject,
      next({ data, error }) {
        if (error) reject(error);
        else if (data.events.__typename === "StreamOpenedEvent") {
          request(SEND, { conversationId, body }, ann.token).catch(reject);
        } else if (data.events.__typename === "MessageSentEvent") {
          following.unsubscribe();
          resolve(data.events.message);
        }
      },
    });
  });
  assert.equal(received.body, body);
});
