// How GraphiQL reaches the server: queries and mutations by POST, subscriptions by WebSocket, both at
// the same address. Nothing else is ever requested.
import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-ws";

/** The code with which the server closes a socket whose token has expired. It may end the subscription before. */
const TOKEN_EXPIRED = 4403;
/** How much earlier than this window the server may consider a token expired, in milliseconds. */
const TOLERANCE = 2000;

/**
 * @param {URL} http where the API is
 * @param {import("./session.js").Session} session
 * @param {import("./streams.js").Streams} streams
 * @returns {import("@graphiql/react").Fetcher}
 */
export function makeFetcher(http, session, streams) {
  const socket = new URL(http);
  socket.protocol = http.protocol === "https:" ? "wss:" : "ws:";

  /** The user of the editor for headers; none if it names no one. */
  const given = (headers) => {
    const name = Object.keys(headers).find((key) => key.toLowerCase() === "authorization");
    return name === undefined ? undefined : headers[name];
  };

  async function post(params, headers) {
    const token = given(headers) ?? (await session.authorization());
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
      // A proxy's page, or no response of the API: show it.
      return { status: response.status, body: text };
    }
    session.note(answer.data);
    return answer;
  }

  /** Follows a subscription. When the token expires, it is renewed, and the subscription resumes after its last event. */
  async function* follow(params, headers, names) {
    const [token, resumes] = [given(headers), names.includes("after")];
    let { variables } = params;
    for (;;) {
      const authorization = token ?? (await session.authorization());
      const started = Date.now();
      const client = createClient({
        url: socket.href,
        connectionParams: authorization === undefined ? {} : { authorization },
        shouldRetry: () => false,
        retryAttempts: 0,
      });
      let failure;
      try {
        for await (const result of client.iterate({ ...params, variables })) {
          const event = Object.values(result.data ?? {})[0];
          if (resumes && event?.cursor) variables = { ...variables, after: event.cursor };
          yield result;
        }
      } catch (error) {
        failure = error;
      } finally {
        client.dispose();
      }
      const { endsAt, refreshToken } = session.auth ?? {};
      const hasExpired = failure?.code === TOKEN_EXPIRED || Date.now() >= endsAt - TOLERANCE;
      const mayRenew = token === undefined && refreshToken && Date.now() - started > 1000;
      if (hasExpired && mayRenew) {
        await session.renew();
        if (session.auth) continue;
      }
      if (failure) throw failure;
      return;
    }
  }

  return (params, options) => {
    const headers = options?.headers ?? {};
    // Of a tab that was just opened, GraphiQL may still have the document of the other one.
    const document = parse(params.query);
    let operation = getOperationAST(document, params.operationName);
    let request = params;
    if (!operation) {
      // It has the name of the other tab's operation, too.
      operation = getOperationAST(document);
      request = { ...params, operationName: undefined };
    }
    if (streams.isReturning || operation?.operation === "subscription") {
      const names = operation?.variableDefinitions?.map((one) => one.variable.name.value) ?? [];
      return streams.open(() => follow(request, headers, names));
    }
    return post(request, headers);
  };
}
