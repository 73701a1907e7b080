// GraphiQL while tokens live for seconds: it renews them, and its streams resume. HEDDLE_URL names a server with such tokens.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { browser, close, open } from "./browser.js";
import { origin, person, request, SEND } from "./people.js";

let page;

before(open);
after(close);

const result = () => page.locator(".graphiql-response .view-lines");
const renewal = () =>
  page.waitForResponse((response) => response.request().postData()?.includes("refreshSession") ?? false);

test("a stream and queries outlive their first token", async () => {
  page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(`${origin}/graphiql`);
  const user = await person("Eve");
  const variables = page.locator('section[aria-label="Variables"] .graphiql-editor:visible');
  await variables.click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, JSON.stringify({ username: user.username, password: user.password }));
  await page.getByRole("button", { name: "Execute query" }).click();
  await page.getByRole("menuitem", { name: "SignIn" }).click();
  await page.getByText(`Signed in as ${user.username}, in this window alone.`).waitFor();
  await page.getByRole("tab", { name: "Live" }).click();
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await page.getByRole("button", { name: "Execute query" }).click();
  await result().getByText("StreamOpenedEvent").waitFor();
  assert.equal((await renewal()).status(), 200);
  // A second renewal: the stream resumed with the first one.
  assert.equal((await renewal()).status(), 200);
  const ann = await person("Ann");
  const { openDirectConversation } = await request(
    `mutation ($ids: [ID!]!) { openDirectConversation(input: { userIds: $ids }) { conversation { id } } }`,
    { ids: [user.id] },
    ann.token,
  );
  const body = `after the renewal ${randomUUID().slice(0, 8)}`;
  await request(SEND, { conversationId: openDirectConversation.conversation.id, body }, ann.token);
  await result().getByText(body).waitFor();
  assert.ok(sockets.length >= 3, `${sockets.length} sockets`);
  await page.getByText(`Signed in as ${user.username}`).waitFor();
});
