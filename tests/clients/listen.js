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

let isLive = false;
client.listen({
  after: process.argv[2],
  state: (state) => {
    if (state === "waiting") {
      const what = isLive ? "The connection is lost" : "No server answers";
      console.error(`${what}: ${url}. Trying again; Ctrl+C stops this.`);
    }
    isLive = state === "live";
  },
  ended: (error) => {
    console.error(`The stream has ended: ${error.message}`);
    process.exitCode = 1;
  },
  select: "... on MessageSentEvent { message { depth body sender { displayName } } }",
  event: (event) => console.log(JSON.stringify({ ...event, cursor: undefined })),
});
