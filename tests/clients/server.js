// For scripts that are not tests: starts a server of its own, with an empty data folder, and ends it with the script.
// HEDDLE_BINARY names the program; HEDDLE_URL, if it is set, names a server that runs already.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = process.env.HEDDLE_BINARY ?? fileURLToPath(new URL("../../target/debug/heddle", import.meta.url));

/**
 * Runs the work while a server runs, and sets HEDDLE_URL before it.
 * @param {(printed: string) => Promise<void>} work receives what `heddle seed` has printed
 * @param {string[][]} [seeds] options of `heddle seed`, one list for each run before the server starts
 */
export async function withServer(work, seeds = []) {
  if (process.env.HEDDLE_URL) return work("");
  const folder = mkdtempSync(join(tmpdir(), "heddle-server-"));
  const env = { PATH: process.env.PATH, HOME: folder, HEDDLE_DATA_DIR: folder, HEDDLE_LISTEN: "127.0.0.1:0" };
  const run = (...options) => spawn(PROGRAM, options, { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"] });
  let server;
  let printed = "";
  try {
    for (const options of seeds) {
      const seeding = run("seed", ...options);
      seeding.stdout.on("data", (part) => (printed += part));
      const code = await new Promise((resolve) => seeding.on("exit", resolve));
      if (code !== 0) throw new Error(`heddle seed ${options.join(" ")} ended with ${code}`);
    }
    server = run("serve");
    process.env.HEDDLE_URL = await new Promise((resolve, reject) => {
      server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
      server.on("error", reject);
      createInterface({ input: server.stdout }).on("line", (line) => {
        const url = /https?:\/\/[^\s/]+:\d+/.exec(line)?.[0];
        if (url) resolve(url);
      });
    });
    await work(printed);
  } finally {
    server?.kill();
    if (server && server.exitCode === null) await new Promise((resolve) => server.on("exit", resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}
