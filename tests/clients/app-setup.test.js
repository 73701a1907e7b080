// The first start in a browser: the link that the server prints creates the first administrator, with the demo.
// HEDDLE_BINARY names the program.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startServer } from "./server.js";

let server, link, browser, close;

before(async () => {
  server = await startServer({ wait: /http:\S+\/setup#\S+/ });
  link = server.found;
  process.env.HEDDLE_URL = new URL(link).origin;
  const browsers = await import("./browser.js");
  ({ close } = browsers);
  browser = await browsers.launch();
});

after(async () => {
  await close?.();
  await server?.stop();
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

test("an invited person registers with a link of the operator", async () => {
  const invitation = (await server.run("admin", "invite", "--email", "noor@example.org")).trim();
  const page = await open(new URL(link).origin + new URL(invitation).pathname + new URL(invitation).hash);
  await page.getByRole("heading", { name: "Create an account" }).waitFor();
  await page.getByText("You are invited to Heddle").waitFor();
  if (process.env.HEDDLE_PICTURES) await page.screenshot({ path: join(process.env.HEDDLE_PICTURES, "app-invite.png") });
  await page.getByLabel("Username").fill("noor");
  await page.getByLabel("Email").fill("someone@example.org");
  await page.getByLabel("Password", { exact: true }).fill("a loom has many heddles");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("alert").getByText("This invitation is for another address").waitFor();
  await page.getByLabel("Email").fill("noor@example.org");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("button", { name: "Create account" }).waitFor({ state: "detached" });
  // The token is no longer in the address.
  await page.waitForURL((url) => url.hash === "");
});
