// Two-step sign-in, in a browser: Ann sets up an authenticator app, signs in with its code, and removes it. On another
// server it is required. HEDDLE_BINARY names the program.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startServer } from "./server.js";

const PASSWORD = "a loom has many heddles";
let server, strict, browser, close, complaints, ann, secret, codes;

before(async () => {
  server = await startServer();
  strict = await startServer({ env: { HEDDLE_REQUIRE_SECOND_FACTOR: "true" } });
  process.env.HEDDLE_URL = server.found;
  const browsers = await import("./browser.js");
  ({ close } = browsers);
  ({ complaints } = await import("./app-page.js"));
  browser = await browsers.launch();
});

after(async () => {
  await close?.();
  await server?.stop();
  await strict?.stop();
});

async function open({ found } = server, viewport = { width: 390, height: 800 }) {
  const page = await (await browser.newContext({ viewport, locale: "en-GB", serviceWorkers: "block" })).newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(found);
  return page;
}

const looks = async (page, name) => {
  for (const colorScheme of ["light", "dark"]) {
    const path = join(process.env.HEDDLE_PICTURES ?? server.folder, `app-${name}-${colorScheme}.png`);
    assert.deepEqual(await complaints(page, { colorScheme }), [], name);
    await page.screenshot({ path });
  }
};

/** The code of an app for a secret in base32, this many steps after the present one (RFC 6238). */
function code(text, steps = 0) {
  const bits = [...text].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac("sha1", key).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

async function register(page, name) {
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Email").fill(`${name}@example.org`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
}

/** Sets up an app from the prompt for the password on. Returns its secret and the recovery codes. */
async function setUp(page, name) {
  await page.locator("#proof").fill("not the password");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("alert").waitFor();
  await page.locator("#proof").fill(PASSWORD);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("img", { name: "QR code" }).waitFor();
  await page.getByRole("img", { name: "QR code" }).scrollIntoViewIfNeeded();
  const text = (await page.locator(".secret").textContent()).replaceAll(" ", "");
  await looks(page, `${name}-scan`);
  await page.getByLabel("Code", { exact: true }).fill("000");
  await page.getByRole("button", { name: "Turn on" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Code", { exact: true }).fill(code(text));
  await page.getByRole("button", { name: "Turn on" }).click();
  await page.locator(".codes li").first().waitFor();
  const shown = await page.locator(".codes li").allTextContents();
  assert.equal(shown.length, 10);
  await looks(page, `${name}-codes`);
  await page.getByRole("button", { name: "I have kept them" }).click();
  return { text, shown };
}

test("Ann sets up an authenticator app in the settings", async () => {
  ann = await open(server, { width: 1280, height: 900 });
  await register(ann, "ann");
  await ann.locator(".viewer-name").waitFor({ state: "attached" });
  await ann.goto(`${server.found}/settings`);
  await ann.getByRole("button", { name: "Set up an app" }).click();
  ({ text: secret, shown: codes } = await setUp(ann, "second-factor"));
  await ann.getByText("10 recovery codes left").waitFor();
  await ann.getByText("10 recovery codes left").scrollIntoViewIfNeeded();
  await looks(ann, "second-factor-on");
});

test("a sign-in needs a code", async () => {
  const phone = await open();
  await phone.getByLabel("Email or username").fill("ann");
  await phone.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await phone.getByRole("button", { name: "Sign in" }).click();
  const field = phone.getByLabel("Code", { exact: true });
  await field.waitFor();
  assert.equal(await phone.evaluate(() => document.activeElement.id), "code");
  await looks(phone, "second-factor-code");
  // The setup has used this one.
  await field.fill(code(secret, -1));
  await phone.getByRole("button", { name: "Sign in" }).click();
  await phone.getByRole("alert").waitFor();
  await field.fill(code(secret, 1));
  await phone.getByRole("button", { name: "Sign in" }).click();
  await phone.locator(".viewer-name").waitFor({ state: "attached" });
});

test("Ann turns it off with a recovery code", async () => {
  await ann.getByRole("button", { name: "Turn off" }).click();
  await ann.getByLabel("Code", { exact: true }).fill("nonsense that is long");
  await ann.getByRole("button", { name: "Turn off" }).click();
  await ann.getByRole("alert").waitFor();
  await ann.getByLabel("Code", { exact: true }).fill(codes[4]);
  await ann.getByRole("button", { name: "Turn off" }).click();
  await ann.getByRole("button", { name: "Set up an app" }).waitFor();
});

test("where it is required, Bob sets up an app before anything else", async () => {
  const bob = await open(strict);
  await register(bob, "bob");
  await bob.getByText("This server requires two-step sign-in").waitFor();
  await looks(bob, "second-factor-required");
  await setUp(bob, "second-factor-required");
  await bob.locator(".viewer-name").waitFor({ state: "attached" });
  await bob.reload();
  await bob.locator(".viewer-name").waitFor({ state: "attached" });
});
