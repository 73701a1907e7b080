// Prints the events of one user, one per line, until it is stopped:
//
//     TOKEN=… node listen.js [CURSOR]
//
// With a cursor it starts with the events since then.
import WebSocket from "ws";

import { Heddle } from "../../web/client.js";

const { TOKEN: accessToken, HEDDLE_URL: url = "http://127.0.0.1:8000" } = process.env;
// The user is signed in elsewhere, until that token expires.
const store = { get: () => ({ accessToken, refreshToken: "", renewAt: Infinity }), set: () => {} };
const client = new Heddle(`${url}/graphql`, { store, WebSocket });

client.listen({
  after: process.argv[2],
  select: "... on MessageSentEvent { message { depth body sender { displayName } } }",
  event: (event) => console.log(JSON.stringify({ ...event, cursor: undefined })),
});
