// The web client in Chromium, as several people use it: each has a browser of their own. HEDDLE_URL names the server.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { complaints, composer, row, thread, timeline } from "./app-page.js";
import { close, launch } from "./browser.js";
import { origin } from "./people.js";

const pictures = process.env.HEDDLE_PICTURES;
/** What the browsers requested, and what they complained about. */
const requests = [];
const problems = [];
/** Set while a test breaks something on purpose. */
let isBroken = false;
let browser;
const people = {};

/** Opens a browser window of its own: nothing is shared with the others. */
async function window() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (opened) => requests.push(opened.url()));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !isBroken) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  return page;
}

/** Registers a person on the page, as they would. */
async function register(name) {
  const page = await window();
  await page.goto(origin);
  await page.getByRole("button", { name: "Create account" }).click();
  const username = `${name.toLowerCase()}_${randomUUID().slice(0, 6)}`;
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Email").fill(`${username}@example.com`);
  await page.getByLabel("Password", { exact: true }).fill(`the loom of ${name}`);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.locator(".viewer-name", { hasText: name }).waitFor();
  people[name] = { page, username };
  return page;
}

async function say(page, text, shown = text) {
  await composer(page).fill(text);
  await composer(page).press("Enter");
  await row(timeline(page), shown).waitFor();
}

/** Checks the page with axe-core, in light and dark. */
async function accessible(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    assert.deepEqual(await complaints(page, { colorScheme }), [], `${name}, ${colorScheme}`);
  }
}

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, `app-${name}.png`) });
}

/** One step of the story. After a step that failed, the others would only wait in vain. */
let failed = null;
const step = (name, body) =>
  test(name, async () => {
    assert.equal(failed, null, "an earlier step failed");
    failed = name;
    await body();
    failed = null;
  });

before(async () => {
  browser = await launch();
});

after(close);

step("a wrong form shows each problem beside its field", async () => {
  const page = await window();
  isBroken = true;
  await page.goto(origin);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByLabel("Username").fill("a b");
  await page.getByLabel("Email").fill("nowhere");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await page.getByRole("button", { name: "Create account" }).click();
  const summary = page.getByRole("alert");
  await summary.waitFor();
  for (const name of ["Username", "Email", "Password"]) {
    const field = page.getByLabel(name, { exact: true });
    assert.equal(await field.getAttribute("aria-invalid"), "true", name);
    const note = await field.getAttribute("aria-describedby");
    assert.notEqual(await page.locator(`[id="${note}"]`).textContent(), "");
  }
  assert.ok(await summary.evaluate((element) => element === document.activeElement));
  await accessible(page, "registration");
  await page.context().close();
  isBroken = false;
});

step("people register, start a conversation and see each other's messages at once", async () => {
  const [ada, ben, cleo] = [await register("Ada"), await register("Ben"), await register("Cleo")];
  await ada.locator(".sidebar").getByRole("button", { name: "New conversation" }).click();
  const dialog = ada.getByRole("dialog");
  await dialog.getByLabel("Title").fill("Weaving");
  for (const name of ["Ben", "Cleo"]) {
    await dialog.getByRole("combobox", { name: "People" }).fill(people[name].username);
    await dialog.getByRole("option", { name: new RegExp(people[name].username) }).click();
  }
  await dialog.getByRole("button", { name: "Create" }).click();
  await ada.getByRole("heading", { name: "Weaving", level: 1 }).waitFor();
  for (const page of [ben, cleo]) await page.getByRole("link", { name: "Weaving" }).click();
  await say(ada, "Which **yarn** for the scarf?", "Which yarn for the scarf?");
  for (const page of [ben, cleo]) await row(timeline(page), "Which yarn for the scarf?").waitFor();
  assert.equal(await row(timeline(ben), "Which yarn").locator("strong").textContent(), "yarn");
  await picture(ben, "timeline");
});

step("typing shows while someone types", async () => {
  const { Ada, Ben } = people;
  await composer(Ben.page).pressSequentially("Hm");
  await Ada.page.getByText("Ben is typing").waitFor();
  await composer(Ben.page).fill("");
});

step("a mention is completed, marked and counted", async () => {
  const { Ada, Ben } = people;
  await Ben.page.goto(`${origin}/inbox`);
  await composer(Ada.page).pressSequentially("Ask @be");
  await Ada.page.getByRole("option", { name: /Ben/ }).waitFor();
  await composer(Ada.page).press("Enter");
  await composer(Ada.page).pressSequentially("please");
  await composer(Ada.page).press("Enter");
  await Ben.page.locator(".side-row", { hasText: "Weaving" }).getByText("1 mention").waitFor();
  const item = Ben.page.locator(".item", { hasText: "mentioned you" });
  await item.locator(".mention.me").waitFor();
  await accessible(Ben.page, "inbox");
  await item.getByRole("button", { name: /mentioned you/ }).click();
  await row(timeline(Ben.page), "Ask").locator(".mention.me").waitFor();
});

step("replies nest eight deep, and the path to unread ones is marked", async () => {
  const { Ada, Ben, Cleo } = people;
  await row(timeline(Ben.page), "Which yarn").hover();
  await row(timeline(Ben.page), "Which yarn").getByRole("button", { name: "Reply in thread" }).click();
  const write = async (page, text, to) => {
    if (to) {
      await row(thread(page), to).hover();
      await row(thread(page), to).getByRole("button", { name: "Reply", exact: true }).click();
    }
    await thread(page).getByRole("textbox").fill(text);
    await thread(page).getByRole("textbox").press("Enter");
    await row(thread(page), text).waitFor();
  };
  await write(Ben.page, "Level 1");
  await Ben.page.waitForURL(/\/t\//);
  await row(timeline(Ada.page), "Which yarn").getByText("1 reply").click();
  const turns = [Ada.page, Ben.page];
  for (let depth = 2; depth <= 8; depth += 1) {
    const page = turns[depth % 2];
    await row(thread(page), `Level ${depth - 1}`).waitFor();
    await write(page, `Level ${depth}`, `Level ${depth - 1}`);
  }
  await row(thread(Ada.page), "Level 8").getByText("Reply at level 8 to Ben").waitFor({ state: "attached" });
  await row(timeline(Cleo.page), "Which yarn").getByText("8 new").waitFor();
  await row(timeline(Cleo.page), "Which yarn").getByText("8 replies").click();
  await thread(Cleo.page).locator(".reply.is-unread .name", { hasText: "Ben" }).first().waitFor();
  assert.ok((await thread(Cleo.page).locator(".g.is-trail").count()) > 0);
  await picture(Cleo.page, "thread");
  await accessible(Cleo.page, "thread");

  // Time order, focus and collapse need no further request.
  const before = requests.length;
  await thread(Cleo.page).getByRole("button", { name: "Time" }).click();
  assert.equal(await thread(Cleo.page).locator(".by-time .reply").count(), 8);
  await thread(Cleo.page).getByRole("button", { name: "Tree" }).click();
  await row(thread(Cleo.page), "Level 3").hover();
  await row(thread(Cleo.page), "Level 3").getByRole("button", { name: "Show only this branch" }).click();
  assert.equal(await thread(Cleo.page).locator(".by-level .reply").count(), 6);
  await thread(Cleo.page).getByRole("button", { name: "Show all" }).click();
  await thread(Cleo.page).getByRole("button", { name: /Collapse the branch/ }).nth(1).click();
  await thread(Cleo.page).getByRole("button", { name: /6 replies/ }).click();
  await row(thread(Cleo.page), "Level 8").waitFor();
  const others = requests.slice(before).filter((url) => !url.endsWith("/graphql"));
  assert.deepEqual(others, []);
  // What is visible for a second becomes read.
  await thread(Cleo.page).locator(".reply.is-unread").first().waitFor({ state: "detached" });
  await row(timeline(Cleo.page), "Which yarn").getByText("8 new").waitFor({ state: "detached" });
});

step("an edit shows at once for everyone, with its history and reason", async () => {
  const { Ada, Ben } = people;
  await row(timeline(Ada.page), "Which yarn").hover();
  await row(timeline(Ada.page), "Which yarn").getByRole("button", { name: "Edit" }).click();
  const editor = timeline(Ada.page).getByLabel("Edit message");
  await editor.fill("Which **wool** for the scarf?");
  await timeline(Ada.page).getByLabel("Reason (optional)").fill("It is wool.");
  await editor.press("Enter");
  await row(timeline(Ben.page), "Which wool").getByRole("button", { name: "edited" }).click();
  const dialog = Ben.page.getByRole("dialog");
  await dialog.locator("ins", { hasText: "wool" }).waitFor();
  assert.equal(await dialog.locator("del").first().textContent(), "yarn");
  await dialog.getByText("It is wool.").waitFor();
  await picture(Ben.page, "history");
  await accessible(Ben.page, "history");
  await Ben.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
});

step("a deleted message disappears; one with replies leaves a marker", async () => {
  const { Ada, Ben } = people;
  await say(Ada.page, "Never mind.");
  await row(timeline(Ben.page), "Never mind.").waitFor();
  const remove = async (text) => {
    await row(timeline(Ada.page), text).hover();
    await row(timeline(Ada.page), text).getByRole("button", { name: "More actions" }).click();
    await Ada.page.getByRole("menuitem", { name: "Delete" }).click();
    await Ada.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  };
  await remove("Never mind.");
  await row(timeline(Ben.page), "Never mind.").waitFor({ state: "detached" });
  await remove("Which wool");
  await timeline(Ben.page).getByText("Message deleted").waitFor();
});

step("messages written without a connection arrive once and in order, after a reload, too", async () => {
  const { Ada, Ben } = people;
  isBroken = true;
  await Ada.page.context().setOffline(true);
  await Ada.page.getByText("You are offline.").waitFor();
  await say(Ada.page, "Written offline, one.");
  await say(Ada.page, "Written offline, two.");
  assert.equal(await timeline(Ada.page).locator(".is-pending").count(), 2);
  await say(Ben.page, "Meanwhile, online.");
  await Ada.page.context().setOffline(false);
  await row(timeline(Ben.page), "Written offline, two.").waitFor();
  await row(timeline(Ada.page), "Meanwhile, online.").waitFor();
  await timeline(Ada.page).locator(".is-pending").first().waitFor({ state: "detached" });
  isBroken = false;
  const texts = await timeline(Ben.page).locator(".text").allTextContents();
  const mine = texts.filter((text) => text.startsWith("Written offline"));
  assert.deepEqual(mine, ["Written offline, one.", "Written offline, two."]);
  await Ada.page.reload();
  await row(timeline(Ada.page), "Written offline, two.").waitFor();
  assert.equal(await timeline(Ada.page).getByText("Written offline, two.").count(), 1);
});

step("loading older messages does not move the one that the reader looks at", async () => {
  const { Ada, Ben } = people;
  const { page } = Ben;
  const send = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }`;
  const conversationId = await page.locator(".side-row", { hasText: "Weaving" }).getAttribute("data-conversation");
  await Ada.page.evaluate(async ([query, id]) => {
    const name = Object.keys(localStorage).find((key) => key.startsWith("heddle http"));
    const { accessToken } = JSON.parse(localStorage.getItem(name));
    const one = (body) => fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${accessToken}` },
      body: JSON.stringify({ query, variables: { input: { conversationId: id, body } } }),
    });
    for (let at = 0; at < 140; at += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => one(`Row ${at + i}.`)));
    await one("The last row.");
  }, [send, conversationId]);
  await page.goto(`${origin}/c/${conversationId}`);
  await row(timeline(page), /Row \d+\./).waitFor();
  // Escape marks everything as read, so that the conversation opens at its end.
  await composer(page).press("Escape");
  await page.locator(".side-row.is-unread", { hasText: "Weaving" }).waitFor({ state: "detached" });
  await page.reload();
  await row(timeline(page), "The last row.").waitFor();
  const box = page.locator(".room > .scroll");
  // Scroll up until older pages arrive.
  const moved = await box.evaluate(async (element) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const rows = () => [...element.querySelectorAll("[data-sequence]")];
    const top = element.getBoundingClientRect().top;
    let [worst, pages, most, first] = [0, 0, 0, rows()[0]];
    for (let tries = 0; tries < 150 && pages < 2; tries += 1) {
      element.scrollTop = Math.max(0, element.scrollTop - 150);
      const anchor = rows().find((one) => one.getBoundingClientRect().bottom > top + 1);
      const at = anchor.getBoundingClientRect().top;
      await new Promise((resolve) => setTimeout(resolve, 60));
      await frame();
      worst = Math.max(worst, Math.abs(anchor.getBoundingClientRect().top - at));
      most = Math.max(most, rows().length);
      if (rows()[0] !== first) pages += 1;
      first = rows()[0];
    }
    return { worst, pages, most };
  });
  assert.ok(moved.pages > 1, "no older page was loaded");
  assert.ok(moved.most <= 300, `the page holds ${moved.most} messages`);
  assert.ok(moved.worst < 1, `the message moved by ${moved.worst} px`);
});

step("a person who is removed loses the conversation at once", async () => {
  const { Ada, Cleo } = people;
  await Ada.page.getByRole("button", { name: "Details" }).click();
  const details = Ada.page.getByRole("complementary", { name: "Details" });
  await accessible(Ada.page, "details");
  await details.getByRole("button", { name: "Actions for Cleo" }).click();
  await Ada.page.getByRole("menuitem", { name: "Remove from the conversation" }).click();
  await Cleo.page.getByText("You are no longer in that conversation.").waitFor();
  await Cleo.page.locator(".sidebar").getByText("Nothing here yet.").waitFor();
});

step("everything works with the keyboard alone", async () => {
  const { Ben } = people;
  const { page } = Ben;
  await page.keyboard.press("Control+k");
  await page.keyboard.type("weav");
  await page.getByRole("option", { name: /Weaving/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".viewer-menu").focus();
  await page.keyboard.press("k");
  const focused = await page.evaluate(() => document.activeElement.dataset.id);
  assert.match(focused, /^msg_/);
  await page.keyboard.press("r");
  await thread(page).getByRole("textbox").fill("By keyboard.");
  await thread(page).getByRole("textbox").press("Enter");
  await row(thread(page), "By keyboard.").waitFor();
  await page.keyboard.press("Escape");
  await thread(page).waitFor({ state: "detached" });
});

step("signing out everywhere else ends the other browser's session", async () => {
  const { Ben } = people;
  const other = await window();
  await other.goto(origin);
  await other.getByLabel("Email or username").fill(Ben.username);
  await other.getByLabel("Password", { exact: true }).fill("the loom of Ben");
  await other.getByRole("button", { name: "Sign in" }).click();
  await other.locator(".viewer-name").waitFor();
  await Ben.page.goto(`${origin}/settings`);
  await Ben.page.getByText("This device").waitFor();
  await accessible(Ben.page, "settings");
  isBroken = true;
  await Ben.page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await other.getByText("Your session has ended.").waitFor();
  isBroken = false;
});

step("deleting the account shows what would be deleted, and ends the session", async () => {
  const { Cleo } = people;
  const { page } = Cleo;
  await page.goto(`${origin}/settings`);
  await page.getByRole("button", { name: "Delete account" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/^\d+ messages? in groups/).waitFor();
  await dialog.getByLabel(/to confirm/).fill(Cleo.username);
  await dialog.getByLabel("Password", { exact: true }).fill("the loom of Cleo");
  isBroken = true;
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  isBroken = false;
});

step("the client requests nothing from other hosts and logs no error", () => {
  const { host } = new URL(origin);
  assert.deepEqual(requests.filter((url) => new URL(url).host !== host), []);
  assert.deepEqual(problems, []);
});
