// Starts a server of its own, with an empty data folder. HEDDLE_BINARY names the program.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = process.env.HEDDLE_BINARY ?? fileURLToPath(new URL("../../target/debug/heddle", import.meta.url));

/**
 * Starts a server, and waits until it has printed its address.
 * @param {object} [options]
 * @param {Record<string, string>} [options.env] settings of the server
 * @param {string[][]} [options.seeds] options of `heddle seed`, one list for each run before the server starts
 * @param {RegExp} [options.wait] the printed text to wait for
 * @returns {Promise<{ found: string, folder: string, seeded: string, run: (...options: string[]) => Promise<string>, stop: () => Promise<void> }>}
 *   the printed text, the data folder, what `heddle seed` has printed, and how to run a command and return its output
 */
export async function startServer({ env = {}, seeds = [], wait = /https?:\/\/[^\s/]+:\d+/ } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "heddle-server-"));
  env = { PATH: process.env.PATH, HOME: folder, HEDDLE_DATA_DIR: folder, HEDDLE_LISTEN: "127.0.0.1:0", ...env };
  const start = (...options) => spawn(PROGRAM, options, { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"] });
  const run = async (...options) => {
    const command = start(...options);
    let printed = "";
    command.stdout.on("data", (part) => (printed += part));
    const code = await new Promise((resolve) => command.on("close", resolve));
    if (code !== 0) throw new Error(`heddle ${options.join(" ")} ended with ${code}`);
    return printed;
  };
  let server;
  let seeded = "";
  const stop = async () => {
    server?.kill();
    if (server && server.exitCode === null) await new Promise((resolve) => server.on("exit", resolve));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const options of seeds) seeded += await run("seed", ...options);
    server = start("serve");
    const found = await new Promise((resolve, reject) => {
      server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
      server.on("error", reject);
      createInterface({ input: server.stdout }).on("line", (line) => {
        const found = wait.exec(line)?.[0];
        if (found) resolve(found);
      });
    });
    return { found, folder, seeded, run, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Runs the work of a script while a server runs, and sets HEDDLE_URL before it. If HEDDLE_URL is set, that server serves.
 * @param {(seeded: string) => Promise<void>} work receives what `heddle seed` has printed
 * @param {string[][]} [seeds] options of `heddle seed`
 */
export async function withServer(work, seeds = []) {
  if (process.env.HEDDLE_URL) return work("");
  const server = await startServer({ seeds });
  try {
    process.env.HEDDLE_URL = server.found;
    await work(server.seeded);
  } finally {
    await server.stop();
  }
}
