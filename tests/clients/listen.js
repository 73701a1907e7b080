// Prints what happens for one person, an event per line, until stopped:
//
//     TOKEN=… node listen.js [CURSOR]
//
// With a cursor it begins with what happened since.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const { TOKEN: token } = process.env;
const [after] = process.argv.slice(2);
const url = process.env.HEDDLE_URL ?? "http://127.0.0.1:8000";
const client = createClient({
  url: `${url.replace(/^http/, "ws")}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
});

const query = `subscription Listen($after: String) {
  events(after: $after) {
    __typename
    ... on StreamOpenedEvent { outcome }
    ... on MessageSentEvent { message { depth body sender { displayName } } }
  }
}`;
for await (const { data, errors } of client.iterate({ query, variables: { after } })) {
  console.log(JSON.stringify(errors ?? data.events));
}
