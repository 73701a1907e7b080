// Shared by all suites: the server's address, registered users, and plain requests. The suites differ in the client library
// that they use; this file uses none.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const given = process.env.HEDDLE_URL;
if (!given) throw new Error("HEDDLE_URL names no server; tests/it/clients.rs starts one");

/** The URL of the server, without a slash at the end. */
export const origin = given.replace(/\/$/, "");
/** The URL of its API. */
export const endpoint = `${origin}/graphql`;
/** The URL of its WebSocket. */
export const socket = endpoint.replace(/^http/, "ws");

/**
 * Sends an operation with fetch, and fails on any error in the response.
 * @param {string} query
 * @param {object} [variables]
 * @param {string} [token]
 */
export async function request(query, variables, token) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json",
      "content-type": "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/**
 * Registers a new user.
 * @param {string} displayName
 * @returns {Promise<{id: string, username: string, password: string, token: string}>}
 */
export async function person(displayName) {
  const username = `${displayName.toLowerCase()}_${randomUUID().slice(0, 8)}`;
  const password = randomUUID();
  const { register } = await request(
    `mutation ($input: RegisterInput!) {
      register(input: $input) { auth { accessToken viewer { user { id } } } }
    }`,
    { input: { username, displayName, email: `${username}@example.com`, password } },
  );
  const { accessToken, viewer } = register.auth;
  return { id: viewer.user.id, username, password, token: accessToken };
}

/**
 * Returns two users and their direct conversation.
 */
export async function pair() {
  const [ann, bob] = [await person("Ann"), await person("Bob")];
  const { openDirectConversation } = await request(
    `mutation ($userIds: [ID!]!) {
      openDirectConversation(input: { userIds: $userIds }) { conversation { id } }
    }`,
    { userIds: [bob.id] },
    ann.token,
  );
  return { ann, bob, conversationId: openDirectConversation.conversation.id };
}

export const VIEWER = `query Viewer { viewer { id user { id username } } }`;

export const SEND = `mutation Send($conversationId: ID!, $body: String!) {
  sendMessage(input: { conversationId: $conversationId, body: $body }) { message { id body } }
}`;

export const SUBSCRIBE = `subscription Messages($conversationId: ID!) {
  messageSent(conversationId: $conversationId) { id body sender { id username } }
}`;

export const FOLLOW = `subscription Follow {
  events { __typename cursor ... on MessageSentEvent { message { id body } } }
}`;
