// The first start in a browser: the link that the server prints creates the first administrator, with the demo.
// HEDDLE_BINARY names the program.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "heddle-setup-"));
let server, link, browser, close;

before(async () => {
  const env = { HOME: folder, HEDDLE_DATA_DIR: folder, HEDDLE_LISTEN: "127.0.0.1:0" };
  server = spawn(process.env.HEDDLE_BINARY, ["serve"], { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"] });
  link = await new Promise((resolve, reject) => {
    server.on("exit", () => reject(new Error("the server printed no link")));
    createInterface({ input: server.stdout }).on("line", (line) => {
      const found = /http:\S+\/setup#\S+/.exec(line);
      if (found) resolve(found[0]);
    });
  });
  process.env.HEDDLE_URL = new URL(link).origin;
  const browsers = await import("./browser.js");
  ({ close } = browsers);
  browser = await browsers.launch();
});

after(async () => {
  await close?.();
  server.kill();
  await new Promise((resolve) => server.on("exit", resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function open(url) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", serviceWorkers: "block" })).newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  return page;
}

async function fillIn(page, name) {
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Email").fill(`${name}@example.org`);
  await page.getByLabel("Password", { exact: true }).fill("a loom has many heddles");
  await page.getByRole("button", { name: "Create administrator" }).click();
}

test("the link creates the first administrator, who finds the demo", async () => {
  const page = await open(link);
  await page.getByRole("heading", { name: "Set up this server" }).waitFor();
  if (process.env.HEDDLE_PICTURES) await page.screenshot({ path: join(process.env.HEDDLE_PICTURES, "app-setup.png") });
  assert.equal(await page.getByRole("button", { name: "Add demo conversations" }).getAttribute("aria-pressed"), "true");
  await fillIn(page, "mira");
  for (const title of ["Workshop", "Kitchen"]) await page.locator(".side-row.is-unread", { hasText: title }).waitFor();
  assert.ok((await page.locator(".hint-row").count()) <= 3);
  // The token is no longer in the address.
  assert.equal(new URL(page.url()).hash, "");
  await page.getByRole("link", { name: "Workshop" }).click();
  await page.getByRole("list", { name: "Messages" }).getByText("8 replies").or(page.getByText(/\d+ replies/)).first().waitFor();
});

test("the link works once", async () => {
  const page = await open(link);
  await fillIn(page, "eve");
  await page.getByRole("alert").getByText("This link was used").waitFor();
});
