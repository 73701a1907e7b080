// The console in a browser: the administrator of the server finds accounts, changes one, invites someone and reads the audit
// log. The server is started with HEDDLE_ADMIN_EMAIL and HEDDLE_ADMIN_PASSWORD.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { complaints, fillIn, signIn } from "./app-page.js";
import { close, launch } from "./browser.js";
import { origin, person, request } from "./people.js";

const ADMIN = { username: "root@example.com", password: "a loom has many heddles" };
let browser, ann, bob, page, phone;

const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", serviceWorkers: "block", ...options });
  const opened = await context.newPage();
  opened.setDefaultTimeout(15_000);
  opened.failures = [];
  opened.on("console", (message) => { if (message.type() === "error") opened.failures.push(message.text()); });
  opened.on("pageerror", (error) => opened.failures.push(String(error)));
  await opened.goto(`${origin}/admin`);
  return opened;
};

before(async () => {
  browser = await launch();
  [ann, bob] = [await person("Ann"), await person("Bob")];
  page = await open();
  await fillIn(page, ADMIN);
  await page.getByRole("heading", { name: "Accounts" }).waitFor();
});

after(() => close());

const looks = async (of, name) => {
  for (const colorScheme of ["light", "dark"]) {
    assert.deepEqual(await complaints(of, { colorScheme }), [], name);
    await of.screenshot({ path: join(process.env.HEDDLE_PICTURES ?? tmpdir(), `console-${name}-${colorScheme}.png`) });
  }
};
const account = (name) => page.locator("tbody tr", { hasText: name });
const dialog = () => page.getByRole("dialog");

test("filters are part of the address", async () => {
  await account("Ann").waitFor();
  await account("Bob").waitFor();
  await page.getByLabel("Name, username or email").fill(ann.username);
  await account("Bob").waitFor({ state: "detached" });
  await page.getByLabel("Role").selectOption({ label: "Member" });
  await page.waitForURL(/role=MEMBER/);
  assert.equal(new URL(page.url()).searchParams.get("text"), ann.username);
  await page.reload();
  await account("Ann").waitFor();
  assert.equal(await account("Bob").count(), 0);
  await page.getByLabel("Role").selectOption({ label: "Administrator" });
  await page.getByText("No account matches the filters.").waitFor();
  await page.goBack();
  await account("Ann").waitFor();
});

test("a suspension needs the username and a reason, and ends the sessions", async () => {
  await account("Ann").focus();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("complementary", { name: "Account of Ann" });
  await panel.waitFor();
  await looks(page, "account");
  await panel.getByRole("button", { name: "Suspend" }).click();
  const suspend = dialog().getByRole("button", { name: "Suspend" });
  assert.ok(await suspend.isDisabled());
  await dialog().getByLabel(`Type ${ann.username} to confirm`).fill(ann.username);
  assert.ok(await suspend.isDisabled());
  await dialog().getByLabel("Reason").fill("Sells thread that is not hers");
  await looks(page, "suspend");
  await suspend.click();
  await panel.getByText("Sells thread that is not hers").waitFor();
  await panel.getByText("user.suspended").waitFor();
  await account("Ann").getByText("Suspended").waitFor();
  await assert.rejects(request("{ viewer { id email } eventCursor }", {}, ann.token).then(({ viewer }) => assert.ok(viewer)));
  await panel.getByRole("button", { name: "Reinstate" }).click();
  await dialog().getByRole("button", { name: "Reinstate" }).click();
  await account("Ann").getByText("Not verified").waitFor();
});

test("a new role needs the password of the administrator", async () => {
  await page.goto(`${origin}/admin/accounts/${bob.id}`);
  const panel = page.getByRole("complementary", { name: "Account of Bob" });
  await panel.getByRole("button", { name: "Change role" }).click();
  await dialog().getByLabel("Role").selectOption({ label: "Moderator" });
  await dialog().getByLabel(`Type ${bob.username} to confirm`).fill(bob.username);
  await dialog().getByLabel("Reason").fill("Helps in the evening");
  await dialog().getByRole("button", { name: "Change role" }).click();
  await dialog().getByLabel("Current password").fill("a wrong password");
  await dialog().getByRole("button", { name: "Change role" }).click();
  await dialog().getByRole("alert").waitFor();
  await looks(page, "proof");
  await dialog().getByLabel("Current password").fill(ADMIN.password);
  await dialog().getByRole("button", { name: "Change role" }).click();
  await panel.locator("dd", { hasText: "Moderator" }).waitFor();
});

test("a new account is set up with a link", async () => {
  await page.goto(`${origin}/admin/accounts`);
  await page.getByRole("button", { name: "Create account" }).click();
  await dialog().getByLabel("Username").fill(bob.username);
  await dialog().getByLabel("Email").fill("cleo@example.com");
  await dialog().getByRole("button", { name: "Create account" }).click();
  await dialog().getByText("This username is taken.").first().waitFor();
  await looks(page, "create");
  await dialog().getByLabel("Username").fill("cleo");
  await dialog().getByRole("button", { name: "Create account" }).click();
  await page.getByText("A link is on its way to cleo@example.com.").waitFor();
  await account("cleo").waitFor();
});

test("an invitation is displayed once, and can be revoked", async () => {
  await page.getByRole("link", { name: "Invitations" }).click();
  await page.getByText("There are no invitations.").waitFor();
  await page.getByRole("button", { name: "Invite" }).click();
  await dialog().getByRole("button", { name: "Invite" }).click();
  await dialog().getByText(/\/invite#hit_/).waitFor();
  await dialog().getByRole("button", { name: "Close" }).last().click();
  await page.locator("tbody tr", { hasText: "Anyone with the link" }).getByText("Open").waitFor();
  await looks(page, "invitations");
  await page.getByRole("button", { name: /Revoke the invitation/ }).click();
  await dialog().getByRole("button", { name: "Revoke" }).click();
  await page.locator("tbody").getByText("Revoked").waitFor();
});

test("the audit log is filtered and exported", async () => {
  await page.getByRole("link", { name: "Audit log" }).click();
  await page.getByLabel("Action, such as session.").fill("user.");
  await page.locator("tbody tr", { hasText: "invitation.created" }).waitFor({ state: "detached" });
  await page.locator("tbody tr", { hasText: "user.role_changed" }).click();
  await page.locator(".changes tr", { hasText: "MODERATOR" }).waitFor();
  await looks(page, "audit");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const lines = readFileSync(await (await download).path(), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(lines.length > 3 && lines.every(({ action }) => action.startsWith("user.")));
});

test("on a phone, one region shows", async () => {
  phone = await open({ viewport: { width: 390, height: 800 } });
  await fillIn(phone, ADMIN);
  await phone.getByRole("link", { name: "Accounts" }).waitFor();
  await looks(phone, "phone-navigation");
  await phone.getByRole("link", { name: "Accounts" }).click();
  await phone.locator("tbody tr", { hasText: "Bob" }).click();
  await phone.getByRole("button", { name: "Change role" }).waitFor();
  await looks(phone, "phone-account");
  await phone.getByRole("button", { name: "Back to the list" }).click();
  await looks(phone, "phone-accounts");
});

test("a moderator sees no audit log, and a member nothing", async () => {
  const his = await signIn(browser, bob);
  await his.getByRole("button", { name: /Bob/ }).first().click();
  await his.getByRole("menuitem", { name: "Administration" }).click();
  await his.getByRole("heading", { name: "Accounts" }).waitFor();
  assert.equal(await his.getByRole("link", { name: "Audit log" }).count(), 0);
  const hers = await open();
  await fillIn(hers, ann);
  await hers.getByText("Your account may not open this page.").waitFor();
});

test("the browser reports no error", () => {
  // A refused password is a response with an error, which is not a failure of the page.
  for (const of of [page, phone]) assert.deepEqual(of.failures, []);
});
