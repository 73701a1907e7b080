// How GraphiQL reaches the server: queries and mutations by POST, subscriptions by WebSocket, both at
// the same address. Nothing else is ever asked.
import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-ws";

/**
 * @param {string} endpoint where the API is, relative to the page or absolute
 * @returns {import("@graphiql/react").Fetcher}
 */
export function makeFetcher(endpoint) {
  const http = new URL(endpoint, location.href);
  const socket = new URL(http);
  socket.protocol = http.protocol === "https:" ? "wss:" : "ws:";

  // Whoever signed in last in this page. Kept in memory only: closing the page forgets it.
  let signedIn;

  const authorization = (headers) => {
    const name = Object.keys(headers).find((key) => key.toLowerCase() === "authorization");
    return name === undefined ? signedIn : headers[name];
  };

  async function ask(params, headers) {
    const token = authorization(headers);
    const response = await fetch(http, {
      method: "POST",
      credentials: "same-origin",
      headers: {
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
        ...headers,
        ...(token === undefined ? {} : { authorization: token }),
      },
      body: JSON.stringify(params),
    });
    const text = await response.text();
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      // A proxy's page, or no answer at all: show what came.
      return { status: response.status, body: text };
    }
    for (const field of Object.values(answer.data ?? {})) {
      if (field?.auth?.accessToken) signedIn = `Bearer ${field.auth.accessToken}`;
    }
    return answer;
  }

  function follow(params, headers) {
    const token = authorization(headers);
    const client = createClient({
      url: socket.href,
      connectionParams: token === undefined ? {} : { authorization: token },
      shouldRetry: () => false,
      retryAttempts: 0,
    });
    return client.iterate(params);
  }

  return (params, options) => {
    const headers = options?.headers ?? {};
    const document = options?.documentAST ?? parse(params.query);
    const operation = getOperationAST(document, params.operationName);
    return operation?.operation === "subscription" ? follow(params, headers) : ask(params, headers);
  };
}
