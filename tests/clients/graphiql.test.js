// GraphiQL in a real browser that can reach this server and nothing else: it renders, runs a query, shows a live event, and
// neither requests external resources nor logs errors.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { browser, close, open } from "./browser.js";
import { request, origin, pair, person, SEND } from "./people.js";

const pictures = process.env.HEDDLE_PICTURES;
let page;
/** The URLs that the browser requested, and its errors. */
const requests = [];
const complaints = [];

before(async () => {
  await open();
  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (opened) => requests.push(opened.url()));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
});

after(close);

const tab = (name) => page.getByRole("tab", { name });
const editor = (label) => page.locator(`section[aria-label="${label}"] .graphiql-editor:visible`);
const result = () => page.locator(".graphiql-response .view-lines");

/** Puts text into one of GraphiQL's editors as a person would: click, select all, paste. */
async function write(label, text) {
  await editor(label).click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
    document.activeElement.dispatchEvent(paste);
  }, text);
}

/** Runs one of a tab's operations. GraphiQL shows a menu when there are several. */
async function run(name) {
  await page.getByRole("button", { name: "Execute query" }).click();
  await page.getByRole("menuitem", { name }).click();
}

/** Registers a user in the first tab. */
async function registers() {
  const username = `eve_${randomUUID().slice(0, 8)}`;
  // The tab has the name of the operation that ran in it last.
  await page.getByRole("tab").first().click();
  await page.getByRole("button", { name: "Variables", exact: true }).click();
  await write("Variables", JSON.stringify({ username, email: `${username}@example.com`, password: randomUUID() }));
  await run("Register");
  await page.getByText(`Signed in as ${username}`).waitFor();
  return username;
}

/** Opens the direct conversation of a user with another one. */
async function opens(user, id) {
  const { openDirectConversation } = await request(
    `mutation ($ids: [ID!]!) { openDirectConversation(input: { userIds: $ids }) { conversation { id } } }`,
    { ids: [id] },
    user.token,
  );
  return openDirectConversation.conversation.id;
}

async function picture(name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

test("GraphiQL opens with its tabs and the schema", async () => {
  await page.goto(`${origin}/graphiql`);
  await editor("Operation Editor").waitFor();
  for (const name of ["Register", "Conversations", "SendMessage", "Thread", "Live"]) {
    await tab(name).waitFor();
  }
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await page.getByText("Root Types", { exact: false }).waitFor();
  await picture("graphiql");
});

test("a typed query returns its result", async () => {
  await page.getByRole("button", { name: "New tab" }).click();
  await write("Operation Editor", "query Hand { __typename }");
  await page.getByRole("button", { name: "Execute query" }).click();
  await result().getByText('"Query"').waitFor();
});

test("registering in the first tab signs in the others", async () => {
  await registers();
  await tab("Conversations").click();
  await run("Conversations");
  await result().getByText('"conversations"').waitFor();
});

test("the live tab shows a message that is sent meanwhile", async () => {
  const { ann, bob, conversationId } = await pair();
  await tab("Live").click();
  await page.getByRole("button", { name: "Headers", exact: true }).click();
  await write("Headers", JSON.stringify({ Authorization: `Bearer ${bob.token}` }));
  await page.getByRole("button", { name: "Execute query" }).click();
  await result().getByText("StreamOpenedEvent").waitFor();
  const body = `for the picture ${randomUUID().slice(0, 8)}`;
  await request(SEND, { conversationId, body }, ann.token);
  await result().getByText(body).waitFor();
  await picture("graphiql-live");
  await page.getByRole("button", { name: "Stop query" }).click();
});

test("a tab keeps its stream while another tab sends", async () => {
  const username = await registers();
  const ann = await person("Ann");
  const find = "query ($name: String!) { user(by: { username: $name }) { id } }";
  const { user } = await request(find, { name: username }, ann.token);
  const conversationId = await opens(ann, user.id);
  await tab("Live").click();
  await page.getByRole("button", { name: "Headers", exact: true }).click();
  await write("Headers", "");
  await page.getByRole("button", { name: "Execute query" }).click();
  await result().getByText("StreamOpenedEvent").waitFor();
  await tab("SendMessage").click();
  const body = `from the other tab ${randomUUID().slice(0, 8)}`;
  await page.getByRole("button", { name: "Variables", exact: true }).click();
  await write("Variables", JSON.stringify({ conversationId, body }));
  await page.getByRole("button", { name: "Execute query" }).click();
  await result().getByText('"sequence"').waitFor();
  await tab("Live").click();
  await result().getByText(body).waitFor();
  // The stream goes on.
  const next = `and afterwards ${randomUUID().slice(0, 8)}`;
  await request(SEND, { conversationId, body: next }, ann.token);
  await result().getByText(next).waitFor();
  await page.getByRole("button", { name: "Stop query" }).click();
  await page.getByRole("button", { name: "Execute query" }).waitFor();
  await tab("Thread").click();
  await tab("Live").click();
  await page.getByRole("button", { name: "Execute query" }).waitFor();
});

test("a second window explains how to sign in", async () => {
  const second = await browser.newPage();
  second.setDefaultTimeout(20_000);
  await second.goto(`${origin}/graphiql`);
  await second.getByText("No one is signed in in this window").waitFor();
  await second.getByRole("button", { name: "Open the tab to sign in" }).click();
  await second.locator(".graphiql-query-editor .view-lines").getByText("SignIn").first().waitFor();
  await second.close();
  await page.getByText("Signed in as eve_").waitFor();
});

test("a narrow window shows everything", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await tab("Register").click();
  const widest = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(widest, 390, "nothing is wider than the window");
  const boxes = {};
  for (const part of ["graphiql-editors", "graphiql-response", "graphiql-footer", "graphiql-sidebar"]) {
    boxes[part] = await page.locator(`.${part}`).boundingBox();
    const { x, width, y, height } = boxes[part];
    assert.ok(x >= 0 && x + width <= 390 && y >= 0 && y + height <= 844, `${part}: ${JSON.stringify(boxes[part])}`);
  }
  for (const part of ["graphiql-editors", "graphiql-response"]) {
    assert.ok(boxes[part].width >= 360 && boxes[part].height >= 200, JSON.stringify(boxes));
  }
  assert.ok(boxes["graphiql-response"].y >= boxes["graphiql-editors"].y + boxes["graphiql-editors"].height - 1);
  await picture("graphiql-390");
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("no external resource was requested and no error was logged", () => {
  const host = new URL(origin).host;
  const outside = requests.filter((url) => !url.startsWith("data:") && new URL(url).host !== host);
  assert.deepEqual(outside, []);
  assert.ok(requests.some((url) => url.startsWith("ws")), "the subscription went over a WebSocket");
  assert.deepEqual(complaints, []);
});
