// Heddle's own client in Chromium: two tabs that share one sign-in. HEDDLE_URL names a server whose tokens live for
// seconds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser, close, open } from "./browser.js";
import { Heddle } from "../../web/client.js";
import { endpoint, pair } from "./people.js";

let tabs;
let ann;
let bob;
let conversationId;

before(async () => {
  const people = await pair();
  ({ bob, conversationId } = people);
  ann = new Heddle(endpoint);
  await ann.signIn(people.ann.username, people.ann.password);
  await open();
  tabs = [await browser.newPage(), await browser.newPage()];
  for (const tab of tabs) {
    tab.setDefaultTimeout(20_000);
    // Any page of this origin that lets scripts run.
    await tab.goto(endpoint.replace("/graphql", "/graphiql"));
    await tab.evaluate(async () => {
      const { Heddle } = await import("/client.js");
      globalThis.changes = [];
      globalThis.client = new Heddle("/graphql", { changed: (signedIn) => globalThis.changes.push(signedIn) });
    });
  }
});

after(close);

const me = () => globalThis.client.request("{ viewer { user { id } } }").then(({ viewer }) => viewer?.user.id);

test("signing in in one tab signs in the other", async () => {
  const [first, second] = tabs;
  const { username, password } = bob;
  await first.evaluate((bob) => globalThis.client.signIn(bob.username, bob.password), { username, password });
  await second.waitForFunction(() => globalThis.changes[0] === true);
  assert.equal(await second.evaluate(me), bob.id);
});

test("both tabs receive events while the token is renewed, and neither ends the session", async () => {
  for (const tab of tabs) {
    await tab.evaluate(() => {
      globalThis.received = [];
      globalThis.tokens = new Set();
      globalThis.listening = globalThis.client.listen({
        select: "... on MessageSentEvent { message { body } }",
        filter: { categories: ["MESSAGES"] },
        event: ({ message }) => {
          globalThis.received.push(message.body);
          globalThis.tokens.add(globalThis.client.store.get().accessToken);
        },
      });
    });
    await tab.waitForFunction(() => globalThis.listening.cursor);
  }
  const bodies = [];
  for (;;) {
    bodies.push(`${bodies.length}`);
    await ann.send({ conversationId, body: bodies.at(-1) }).sent;
    // Both send a request when both have to renew the token.
    const ids = await Promise.all(tabs.map((tab) => tab.evaluate(me)));
    assert.deepEqual(ids, [bob.id, bob.id]);
    const tokens = await Promise.all(tabs.map((tab) => tab.evaluate(() => globalThis.tokens.size)));
    if (tokens.every((count) => count > 2)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const tab of tabs) {
    await tab.waitForFunction((count) => globalThis.received.length >= count, bodies.length);
    assert.deepEqual(await tab.evaluate(() => globalThis.received), bodies);
  }
});

test("signing out in one tab signs out the other", async () => {
  const [first, second] = tabs;
  await first.evaluate(() => globalThis.client.signOut());
  await second.waitForFunction(() => globalThis.changes.at(-1) === false);
  assert.equal(await second.evaluate(me), undefined);
});
