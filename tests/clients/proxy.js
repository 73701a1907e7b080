// A proxy in front of the server under test, which can answer in its place, or not at all.
import { createServer, request } from "node:http";
import { connect } from "node:net";

/**
 * Starts a proxy for an origin. While `answer` is set, it receives each request first, and returns whether it has
 * answered it; `sockets` says whether WebSockets are connected.
 * @param {string} origin
 */
export async function startProxy(origin) {
  const { hostname, port, host } = new URL(origin);
  const sockets = new Set();
  const proxy = {
    /** @type {string} */
    url: "",
    /** @type {((incoming: import("node:http").IncomingMessage, outgoing: import("node:http").ServerResponse) => boolean | void) | null} */
    answer: null,
    sockets: true,
    /** Ends every WebSocket. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    close() {
      proxy.cut();
      server.closeAllConnections();
      server.close();
    },
  };
  /** The server sees its own origin. */
  const headers = (incoming) => ({ ...incoming.headers, host, ...(incoming.headers.origin ? { origin } : {}) });
  const server = createServer((incoming, outgoing) => {
    if (proxy.answer?.(incoming, outgoing)) return;
    const { method, url: path } = incoming;
    const passed = request({ hostname, port, method, path, headers: headers(incoming) }, (response) => {
      outgoing.writeHead(response.statusCode, response.headers);
      response.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  server.on("upgrade", (incoming, near) => {
    near.on("error", () => {});
    if (!proxy.sockets) return void near.destroy();
    const far = connect(Number(port), hostname, () => {
      const lines = Object.entries(headers(incoming)).map(([name, value]) => `${name}: ${value}\r\n`);
      far.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
      far.pipe(near).pipe(far);
    });
    sockets.add(near);
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on("close", () => {
        sockets.delete(near);
        other.destroy();
      });
    }
    far.on("error", () => {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}
