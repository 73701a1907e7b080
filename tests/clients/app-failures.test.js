// The web client when something goes wrong: it says what happened and what the user can do, and loses no draft. A proxy
// answers in place of the server. HEDDLE_URL names the server.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { act, composer, fillIn, group, row, send, signIn, thread, timeline } from "./app-page.js";
import { close, launch } from "./browser.js";
import { origin, person, request } from "./people.js";
import { startProxy } from "./proxy.js";

let browser, network, ada, ben;

before(async () => {
  browser = await launch();
  network = await startProxy(origin);
  [ada, ben] = [await person("Ada"), await person("Ben")];
});

beforeEach(() => {
  network.answer = null;
});

after(async () => {
  await close();
  network.close();
});

const json = (code, extensions = {}) => JSON.stringify({ errors: [{ message: "No.", extensions: { code, ...extensions } }] });

/** What a server, or something in front of it, may answer, and what the client says. */
const FAULTS = {
  500: { status: 500, body: json("INTERNAL", { requestId: "req_1" }), says: /The server has a problem/, id: "req_1", isFinal: true },
  503: { status: 503, body: json("UNAVAILABLE"), says: /not available right now/ },
  429: { status: 429, body: json("RATE_LIMITED", { retryAfterMs: 100 }), says: /too fast/ },
  "an error page": { status: 502, body: "<h1>Bad gateway</h1>", says: /did not respond/ },
  "another JSON": { status: 200, body: "[]", says: /The server has a problem/, isFinal: true },
  nothing: { says: /did not respond/ },
};

/** Answers the API in the server's place. */
function fail({ status, body }) {
  network.answer = ({ url }, outgoing) => {
    if (url !== "/graphql") return false;
    if (!status) outgoing.destroy();
    else outgoing.writeHead(status, { "content-type": "application/json" }).end(body);
    return true;
  };
}

test("the page says which answer it got, and nothing is lost", async () => {
  const room = await group("Answers", [ben, ada]);
  await send(ada, room, "Hello.");
  const page = await signIn(browser, ada, { url: network.url });
  const other = await signIn(browser, ben, { url: network.url, path: `/c/${room}` });
  await row(timeline(other), "Hello.").waitFor();
  const gate = await (await browser.newContext({ locale: "en-GB", serviceWorkers: "block" })).newPage();
  await gate.goto(network.url);
  for (const [name, fault] of Object.entries(FAULTS)) {
    const text = `Hello? (${name})`;
    const title = `Room ${name}`;
    await send(ben, await group(title, [ada, ben]), "Hello.");
    await page.getByRole("link", { name: title }).waitFor();
    fail(fault);
    // Sign-in: the form keeps what was typed.
    await fillIn(gate, ada);
    await gate.getByRole("alert").getByText(fault.says).waitFor();
    assert.equal(await gate.getByLabel("Email or username").inputValue(), ada.username);
    // A conversation that is not loaded.
    await page.getByRole("link", { name: title }).click();
    const problem = page.getByRole("alert");
    await problem.getByText(fault.says).waitFor();
    if (fault.id) await problem.getByText(fault.id).waitFor();
    // A message: what may succeed later waits, everything else offers to try again.
    await composer(other).fill(text);
    await composer(other).press("Enter");
    const sent = row(timeline(other), text);
    if (fault.isFinal) await sent.getByText("Not sent").waitFor();
    else await timeline(other).locator(".is-pending", { hasText: text }).waitFor();

    network.answer = null;
    await page.getByRole("button", { name: "Retry" }).click();
    await row(timeline(page), "Hello.").waitFor();
    if (fault.isFinal) await sent.getByRole("button", { name: "Retry" }).click();
    await timeline(other).locator(".is-pending, .is-failed").waitFor({ state: "detached" });
    await row(timeline(other), text).waitFor();
    assert.equal(await timeline(other).getByText(text).count(), 1);
  }
  await gate.getByRole("button", { name: "Sign in" }).click();
  await gate.locator(".viewer-name").waitFor();
  for (const one of [page, other, gate]) await one.context().close();
});

test("garbage in the event stream is a lost connection", async () => {
  const room = await group("Garbage", [ada, ben]);
  const page = await signIn(browser, ada);
  let count = 0;
  await page.routeWebSocket(/graphql/, (near) => {
    const far = near.connectToServer();
    far.onMessage((message) => {
      count += 1;
      near.send(count % 5 === 4 ? "<html>" : message);
    });
  });
  await page.goto(`${origin}/c/${room}`);
  await timeline(page).waitFor();
  for (let at = 0; at < 6; at += 1) {
    await send(ben, room, `Line ${at}.`);
    await row(timeline(page), `Line ${at}.`).waitFor();
  }
  assert.equal(await timeline(page).getByText(/^Line/).count(), 6);
  assert.ok(count > 8, `${count} messages`);
  await page.context().close();
});

test("a session that is revoked asks to sign in again, and keeps the draft", async () => {
  const room = await group("Sessions", [ada, ben]);
  const page = await signIn(browser, ada, { path: `/c/${room}` });
  await timeline(page).waitFor();
  await composer(page).fill("Half a thought");
  const { viewer } = await request("{ viewer { sessions { nodes { id isCurrent } } } }", {}, ada.token);
  const others = viewer.sessions.nodes.filter(({ isCurrent }) => !isCurrent).map(({ id }) => id);
  await act(ada, "revokeSessions", { sessionIds: others });
  await page.getByText("Your session has ended.").waitFor();
  await fillIn(page, ada);
  await timeline(page).waitFor();
  assert.equal(await composer(page).inputValue(), "Half a thought");
  await page.context().close();
});

test("a conversation that is deleted while it is open closes with an explanation", async () => {
  const room = await group("Short-lived", [ben, ada]);
  const page = await signIn(browser, ada, { path: `/c/${room}` });
  await timeline(page).waitFor();
  await act(ben, "deleteConversation", { conversationId: room });
  await page.getByText("You are no longer in that conversation.").waitFor();
  await page.waitForURL(`${origin}/`);
  assert.equal(await page.locator(".side-row", { hasText: "Short-lived" }).count(), 0);
  // An old link says the same as a wrong one.
  await page.goto(`${origin}/c/${room}`);
  await page.getByText("It does not exist, or you cannot see it.").waitFor();
  await page.context().close();
});

/** The page does not scroll sideways, and no text leaves its row. */
async function fits(page) {
  const wide = await page.evaluate(() => {
    const boxes = [document.scrollingElement, ...document.querySelectorAll(".scroll, .sidebar, .dialog-body")];
    return boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).flatMap((box) => {
      const { left, right } = box.getBoundingClientRect();
      const inside = [...box.querySelectorAll("*")].filter((one) => {
        const rect = one.getBoundingClientRect();
        return rect.width && (rect.right > right + 1 || rect.left < left - 1);
      });
      return [`${box.className} ${box.scrollWidth} > ${box.clientWidth}`, ...inside.slice(0, 4).map((one) => one.outerHTML.slice(0, 160))];
    });
  });
  assert.deepEqual(wide, []);
}

test("long words, deep threads and names in every script fit at any width", async () => {
  const names = ["ليلى حداد", "森 由紀", "Ёлка Ńguyễn", "👩🏽‍🚀 Nina", "Z̴̧̘̈́a̷͕͐l̵̬̈g̶̘̑o̷̦̓", "W".repeat(60), "עברית", "தமிழ்"];
  const rename = async (who, displayName) =>
    act(who, "updateProfile", { displayName }, "viewer { id }");
  const people = await Promise.all(names.map(() => person("Guest")));
  await Promise.all(people.map((who, at) => rename(who, names[at])));
  const room = await group("T".repeat(80), [ada, ...people]);
  for (const who of people) await send(who, room, "Hello.");
  const word = await send(ada, room, "x".repeat(10_000));
  let parent = word.id;
  for (let depth = 1; depth <= 50; depth += 1) ({ id: parent } = await send(people[depth % people.length], room, `Level ${depth}`, parent));
  const page = await signIn(browser, ada, { path: `/c/${room}` });
  for (const width of [1920, 1440, 1024, 720, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${origin}/c/${room}`);
    await timeline(page).locator("li[data-id]").last().waitFor();
    await fits(page);
    await page.goto(`${origin}/c/${room}?details`);
    await page.locator(".person").last().waitFor();
    await fits(page);
    await page.goto(`${origin}/c/${room}`);
    await timeline(page).locator(".replies").last().click();
    await page.locator(".tree .reply", { hasText: "Level 50" }).waitFor();
    assert.match(await page.locator(".tree .reply", { hasText: "Level 50" }).textContent(), /level 50/);
    await fits(page);
    await page.getByRole("button", { name: "Time", exact: true }).click();
    await fits(page);
    await page.getByRole("button", { name: "Tree", exact: true }).click();
  }
  for (const name of names) assert.ok(await page.getByText(name, { exact: true }).count(), name);
  await page.context().close();
});

test("a clock that is a day off shows the right day, and everything works", async () => {
  const room = await group("Clocks", [ada, ben]);
  await send(ben, room, "What time is it?");
  for (const days of [-1, 1]) {
    const page = await signIn(browser, ada);
    await page.clock.install({ time: Date.now() + days * 86_400_000 });
    await page.goto(`${origin}/c/${room}`);
    await row(timeline(page), "What time is it?").waitFor();
    assert.deepEqual(await timeline(page).locator(".divider:not(.is-new)").allTextContents(), ["Today"]);
    await composer(page).fill(`Day ${days}.`);
    await composer(page).press("Enter");
    await row(timeline(page), `Day ${days}.`).waitFor();
    await timeline(page).locator(".is-pending").waitFor({ state: "detached" });
    assert.deepEqual(await timeline(page).locator(".divider:not(.is-new)").allTextContents(), ["Today"]);
    await page.context().close();
  }
});

test("two tabs show the same, and send a waiting message once", async () => {
  const room = await group("Tabs", [ada, ben]);
  const first = await signIn(browser, ada, { url: network.url, path: `/c/${room}` });
  await timeline(first).waitFor();
  fail(FAULTS.nothing);
  await composer(first).fill("Only once, please.");
  await composer(first).press("Enter");
  await timeline(first).locator(".is-pending").waitFor();
  network.answer = null;
  const second = await first.context().newPage();
  await second.goto(`${network.url}/c/${room}`);
  for (const page of [first, second]) {
    await row(timeline(page), "Only once, please.").waitFor();
    await timeline(page).locator(".is-pending").waitFor({ state: "detached" });
  }
  await send(ben, room, "And the answer.");
  for (const page of [first, second]) {
    await row(timeline(page), "And the answer.").waitFor();
    assert.equal(await timeline(page).getByText("Only once, please.").count(), 1);
  }
  // What one tab reads is read in the other.
  await second.bringToFront();
  await second.locator(".side-row.is-unread", { hasText: "Tabs" }).waitFor({ state: "detached" });
  await first.locator(".side-row.is-unread", { hasText: "Tabs" }).waitFor({ state: "detached" });
  await first.context().close();
});

test("a full storage says that waiting messages need this page, and keeps drafts", async () => {
  const [room, other] = [await group("Full", [ada, ben]), await group("Other", [ada, ben])];
  const page = await signIn(browser, ada, { url: network.url });
  await page.addInitScript(() => {
    // What a browser does whose disk is full.
    const full = () => { throw new DOMException("The quota has been exceeded.", "QuotaExceededError"); };
    IDBObjectStore.prototype.put = full;
    Storage.prototype.setItem = full;
  });
  await page.goto(`${network.url}/c/${room}`);
  await timeline(page).waitFor();
  fail(FAULTS.nothing);
  await composer(page).fill("It waits.");
  await composer(page).press("Enter");
  await page.getByText("This browser has no space left.").waitFor();
  await page.getByText("Keep this page open").waitFor();
  await composer(page).fill("A draft");
  await page.getByRole("link", { name: "Other", exact: true }).click();
  await page.getByRole("link", { name: "Full", exact: true }).click();
  assert.equal(await composer(page).inputValue(), "A draft");
  network.answer = null;
  await row(timeline(page), "It waits.").waitFor();
  await timeline(page).locator(".is-pending").waitFor({ state: "detached" });
  await page.getByText("This browser has no space left.").waitFor({ state: "detached" });
  assert.ok(other);
  await page.context().close();
});

test("after missed events the page loads again in the background, and the reader stays where they are", async () => {
  const room = await group("Reset", [ada, ben]);
  for (let at = 0; at < 60; at += 1) await send(ben, room, `Row ${at}.`);
  await act(ada, "markConversationsRead", { conversations: [{ conversationId: room }] });
  const page = await signIn(browser, ada);
  let [isLost, socket] = [false, null];
  await page.routeWebSocket(/graphql/, (near) => {
    const far = near.connectToServer();
    socket = near;
    // The events that were missed are no longer available.
    near.onMessage((message) => far.send(isLost ? message.replace(/"after":"[^"]*"/, '"after":null') : message));
    far.onMessage((message) => near.send(isLost ? message.replace(/"outcome":"\w+"/, '"outcome":"RESET"') : message));
  });
  await page.goto(`${origin}/c/${room}`);
  await row(timeline(page), "Row 59.").waitFor();
  const box = page.locator(".room > .scroll");
  await box.evaluate((element) => { element.scrollTop -= 700; });
  const place = () => box.evaluate((element) => {
    const { top } = element.getBoundingClientRect();
    const first = [...element.querySelectorAll("[data-sequence]")].find((one) => one.getBoundingClientRect().bottom > top + 1);
    return [first.dataset.id, Math.round(first.getBoundingClientRect().top - top)];
  });
  await page.waitForFunction(() => document.querySelector(".room > .scroll").scrollTop > 0);
  const before = await place();
  isLost = true;
  await socket.close({ code: 1012 });
  await send(ben, room, "Missed by the stream.");
  await row(timeline(page), "Missed by the stream.").waitFor({ state: "attached" });
  assert.deepEqual(await place(), before);
  await page.context().close();
});
