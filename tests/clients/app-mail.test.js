// Links in mails, in a browser: Ann verifies her address, forgets her password and sets another one. The server writes its
// mail to a folder. HEDDLE_BINARY names the program.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "heddle-mail-"));
const PASSWORD = "a loom has many heddles";
const NEW_PASSWORD = "eleven grey shuttles";
let server, origin, browser, close, complaints, ann;

before(async () => {
  const env = { HOME: folder, HEDDLE_DATA_DIR: folder, HEDDLE_LISTEN: "127.0.0.1:0" };
  server = spawn(process.env.HEDDLE_BINARY, ["serve"], { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"] });
  origin = await new Promise((resolve, reject) => {
    server.on("exit", () => reject(new Error("the server did not start")));
    createInterface({ input: server.stdout }).on("line", (line) => {
      const found = /https?:\/\/[^\s/]+:\d+/.exec(line)?.[0];
      if (found) resolve(found);
    });
  });
  process.env.HEDDLE_URL = origin;
  const browsers = await import("./browser.js");
  ({ close } = browsers);
  ({ complaints } = await import("./app-page.js"));
  browser = await browsers.launch();
  ann = await open("/");
});

after(async () => {
  await close?.();
  server.kill();
  await new Promise((resolve) => server.on("exit", resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function open(path) {
  const page = await (await browser.newContext({ viewport: { width: 390, height: 800 }, locale: "en-GB", serviceWorkers: "block" })).newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(origin + path);
  return page;
}

/** Waits for a mail with a link to this page, and returns the path of the link. */
async function link(page) {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const files = readdirSync(folder).includes("outbox") ? readdirSync(join(folder, "outbox")).sort() : [];
    for (const file of files.reverse()) {
      const text = readFileSync(join(folder, "outbox", file), "utf8").replaceAll("=\r\n", "").replaceAll("=3D", "=");
      const found = new RegExp(`/${page}#het_[\\w-]+`).exec(text);
      if (found) return found[0];
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no mail with a link to ${page}`);
}

const looks = async (page, name) => {
  for (const colorScheme of ["light", "dark"]) {
    const path = join(process.env.HEDDLE_PICTURES ?? folder, `app-${name}-${colorScheme}.png`);
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
  await ann.goto(`${origin}/settings`);
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

test("Ann sets a new password with a link, and is signed out everywhere", async () => {
  const page = await open("/");
  await page.getByRole("button", { name: "Forgot your password?" }).click();
  await page.getByLabel("Email").fill("ann@example.org");
  await looks(page, "forgot-password");
  await page.getByRole("button", { name: "Send a link" }).click();
  await page.getByText("a mail with a link is on its way").waitFor();

  await page.goto(origin + (await link("reset-password")));
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
