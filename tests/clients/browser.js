// A real browser that can reach the server under test and nothing else.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { origin } from "./people.js";

const profile = mkdtempSync(join(tmpdir(), "heddle-chromium-"));

/** The browser, once opened. */
export let browser;

const options = {
  executablePath: process.env.HEDDLE_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${new URL(origin).hostname}`,
  ],
};

export async function open() {
  const viewport = { width: 1440, height: 900 };
  browser = await chromium.launchPersistentContext(profile, { ...options, viewport });
}

/** Starts a browser without a profile, for several people. */
export async function launch() {
  browser = await chromium.launch(options);
  return browser;
}

export async function close() {
  await browser?.close();
  rmSync(profile, { recursive: true, force: true });
}
