// A real browser that can reach the server under test and nothing else.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { origin } from "./people.js";

const profile = mkdtempSync(join(tmpdir(), "heddle-chromium-"));

/** The browser, once opened. */
export let browser;

export async function open() {
  const host = new URL(origin).hostname;
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.HEDDLE_CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1440, height: 900 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${host}`,
    ],
  });
}

export async function close() {
  await browser?.close();
  rmSync(profile, { recursive: true, force: true });
}
