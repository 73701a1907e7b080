// Links in mails, in a browser: Ann verifies her address, changes it, forgets her password and sets another one. The servers
// write their mail to a folder. HEDDLE_BINARY names the program.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startServer } from "./server.js";

const PASSWORD = "a loom has many heddles";
const NEW_PASSWORD = "eleven grey shuttles";
let server, strict, browser, close, complaints, ann;

before(async () => {
  server = await startServer();
  strict = await startServer({ env: { HEDDLE_REQUIRE_VERIFIED_EMAIL: "true" } });
  process.env.HEDDLE_URL = server.found;
  const browsers = await import("./browser.js");
  ({ close } = browsers);
  ({ complaints } = await import("./app-page.js"));
  browser = await browsers.launch();
  ann = await open("/");
});

after(async () => {
  await close?.();
  await server?.stop();
  await strict?.stop();
});

async function open(path, { found } = server) {
  const page = await (await browser.newContext({ viewport: { width: 390, height: 800 }, locale: "en-GB", serviceWorkers: "block" })).newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(found + path);
  return page;
}

/** Waits for a mail with a link to this page, and returns the path of the link in the last one. */
async function link(page, { folder } = server, to = "") {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const files = readdirSync(folder).includes("outbox") ? readdirSync(join(folder, "outbox")).sort() : [];
    for (const file of files.reverse()) {
      const text = readFileSync(join(folder, "outbox", file), "utf8").replaceAll("=\r\n", "").replaceAll("=3D", "=");
      if (!text.includes(to)) continue;
      const found = new RegExp(`/${page}#het_[\\w-]+`).exec(text);
      if (found) return found[0];
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no mail with a link to ${page}`);
}

const looks = async (page, name) => {
  for (const colorScheme of ["light", "dark"]) {
    const path = join(process.env.HEDDLE_PICTURES ?? server.folder, `app-${name}-${colorScheme}.png`);
    assert.deepEqual(await complaints(page, { colorScheme }), [], name);
    await page.screenshot({ path });
  }
};

test("Ann registers, and verifies her address with a click on another device", async () => {
  await ann.getByRole("button", { name: "Create account" }).click();
  await ann.getByLabel("Username").fill("ann");
  await ann.getByLabel("Email").fill("ann@example.org");
  await ann.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await ann.getByRole("button", { name: "Create account" }).click();
  await ann.getByRole("button", { name: "Create account" }).waitFor({ state: "detached" });
  await ann.goto(`${server.found}/settings`);
  await ann.getByText("Your address is not verified").waitFor();
  await looks(ann, "not-verified");

  const phone = await open(await link("verify-email"));
  const verify = phone.getByRole("button", { name: "Verify address" });
  await verify.waitFor();
  await looks(phone, "verify-email");
  await verify.click();
  await phone.getByRole("heading", { name: "Your address is verified" }).waitFor();
  await phone.getByRole("button", { name: "Continue" }).click();
  await phone.getByRole("heading", { name: "Sign in" }).waitFor();
  await ann.reload();
  await ann.getByRole("heading", { name: "Profile" }).waitFor();
  assert.equal(await ann.getByText("Your address is not verified").count(), 0);

  const again = await open(await link("verify-email"));
  await again.getByRole("button", { name: "Verify address" }).click();
  await again.getByRole("alert").waitFor();
});

test("Ann changes her address, which takes effect with a click", async () => {
  await ann.getByLabel("New email address").fill("not an address");
  await ann.getByRole("button", { name: "Change address" }).click();
  await ann.getByRole("alert").waitFor();
  await ann.getByLabel("New email address").fill("ann@weavers.example");
  await ann.locator("#password").fill(PASSWORD);
  await ann.getByRole("button", { name: "Change address" }).click();
  await ann.getByText("ann@weavers.example replaces your address when").waitFor();
  await looks(ann, "change-email");
  const page = await open(await link("verify-email", server, "ann@weavers.example"));
  await page.getByRole("button", { name: "Verify address" }).click();
  await page.getByRole("heading", { name: "Your address is verified" }).waitFor();
  await ann.reload();
  await ann.getByText("@ann · ann@weavers.example").waitFor();
  assert.equal(await ann.getByText("replaces your address when").count(), 0);
});

test("where it is required, Bob verifies his address before he signs in", async () => {
  const bob = await open("/", strict);
  await bob.getByRole("button", { name: "Create account" }).click();
  await bob.getByLabel("Username").fill("bob");
  await bob.getByLabel("Email").fill("bob@example.org");
  await bob.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await bob.getByRole("button", { name: "Create account" }).click();
  await bob.getByText("A mail with a link is on its way to bob@example.org").waitFor();
  await looks(bob, "verify-first");
  const path = await link("verify-email", strict);
  const signIn = async () => {
    await bob.getByLabel("Email or username").fill("bob");
    await bob.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await bob.getByRole("button", { name: "Sign in" }).click();
  };
  await bob.getByRole("button", { name: "Back to sign-in" }).click();
  await signIn();
  await bob.getByText("Verify your address before you sign in").waitFor();
  await bob.getByLabel("Email").fill("bob@example.org");
  await bob.getByRole("button", { name: "Send a link" }).click();
  await bob.getByText("A mail with a link is on its way to bob@example.org").waitFor();
  await bob.goto(strict.found + path);
  await bob.getByRole("button", { name: "Verify address" }).click();
  await bob.getByRole("button", { name: "Continue" }).click();
  await signIn();
  await bob.getByLabel("Password", { exact: true }).waitFor({ state: "detached" });
});

test("Ann sets a new password with a link, and is signed out everywhere", async () => {
  const page = await open("/");
  await page.getByRole("button", { name: "Forgot your password?" }).click();
  await page.getByLabel("Email").fill("ann@weavers.example");
  await looks(page, "forgot-password");
  await page.getByRole("button", { name: "Send a link" }).click();
  await page.getByText("a mail with a link is on its way").waitFor();

  await page.goto(server.found + (await link("reset-password")));
  await page.getByLabel("New password").fill("ann");
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("alert").waitFor();
  await looks(page, "reset-password");
  await page.getByLabel("New password").fill(NEW_PASSWORD);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText("Sign in as ann with the new password.").waitFor();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Email or username").fill("ann");
  await page.getByLabel("Password", { exact: true }).fill(NEW_PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Password", { exact: true }).waitFor({ state: "detached" });
  // The other device is signed out.
  await ann.getByRole("heading", { name: "Sign in" }).waitFor();
});
