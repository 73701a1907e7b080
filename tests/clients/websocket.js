// The connection of the reference client of graphql-ws, as the suites that use it configure it.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { socket } from "./people.js";

/**
 * Returns a client that reports the first failure instead of trying again.
 * @param {string} [authorization]
 */
export const connect = (authorization) =>
  createClient({
    url: socket,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: authorization === undefined ? undefined : { authorization },
  });
