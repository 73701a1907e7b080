// GraphiQL in a real browser that can reach this server and nothing else: it renders, runs a query, shows a live event, and
// neither requests external resources nor logs errors.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { browser, close, open } from "./browser.js";
import { request, origin, pair, SEND } from "./people.js";

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
  const username = `eve_${randomUUID().slice(0, 8)}`;
  await tab("Register").click();
  await write(
    "Variables",
    JSON.stringify({ username, email: `${username}@example.com`, password: randomUUID() }),
  );
  await run("Register");
  await result().getByText("accessTokenExpiresAt").waitFor();
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

test("no external resource was requested and no error was logged", () => {
  const host = new URL(origin).host;
  const outside = requests.filter((url) => !url.startsWith("data:") && new URL(url).host !== host);
  assert.deepEqual(outside, []);
  assert.ok(requests.some((url) => url.startsWith("ws")), "the subscription went over a WebSocket");
  assert.deepEqual(complaints, []);
});
