// A thread of hundreds of replies in the web client: the page holds a part of it, and nothing jumps. HEDDLE_URL names the
// server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { act, group, send, signIn, thread } from "./app-page.js";
import { close, launch } from "./browser.js";
import { origin, person } from "./people.js";

const COUNT = 500;
let browser, page, ada, room, root, threadId, last;

before(async () => {
  browser = await launch();
  let ben;
  [ada, ben] = [await person("Ada"), await person("Ben")];
  room = await group("Weaving", [ada, ben]);
  root = await send(ada, room, "The root.");
  const top = [];
  const reply = async (at, parent) => {
    const sent = await send(ben, room, `Reply ${at}. ${"word ".repeat((at * 7) % 30)}`, parent);
    threadId = sent.thread.id;
    return sent.id;
  };
  for (let at = 0; at < 10; at += 1) top.push(await reply(at, root.id));
  for (let at = 10; at < COUNT; at += 10) await Promise.all(top.map((parent, i) => reply(at + i, parent)));
  last = await send(ben, room, "The very last reply.", top.at(-1));
  await act(ada, "markThreadRead", { threadId }, "markedCount");
  page = await signIn(browser, ada, { path: `/t/${threadId}` });
  await thread(page).locator(".reply").first().waitFor();
});

after(close);

/** Scrolls in steps, and compares where a row that stays visible should be with where it is. */
const scroll = (step) => page.evaluate(async (step) => {
  const box = document.querySelector(".panel .scroll");
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const rows = () => [...box.querySelectorAll("[data-row]")];
  const end = Date.now() + 90_000;
  let [worst, most, still] = [0, 0, 0];
  while (still < 12 && Date.now() < end) {
    const { top, bottom } = box.getBoundingClientRect();
    const middle = (top + bottom) / 2;
    const row = rows().find((one) => one.getBoundingClientRect().bottom > middle);
    const [at, scrolled] = [row.getBoundingClientRect().top, box.scrollTop];
    box.scrollTop += step;
    const moved = box.scrollTop - scrolled;
    still = moved ? 0 : still + 1;
    await sleep(50);
    if (row.isConnected && moved) worst = Math.max(worst, Math.abs(row.getBoundingClientRect().top - (at - moved)));
    most = Math.max(most, rows().length);
  }
  return { worst, most, last: rows().at(-1).textContent };
}, step);

test("all replies load while the reader scrolls, and no row jumps", async () => {
  const down = await scroll(300);
  assert.match(down.last, /The very last reply/);
  const up = await scroll(-300);
  for (const { worst, most } of [down, up]) {
    assert.ok(most <= 240, `the page holds ${most} replies`);
    assert.ok(worst < 1, `a reply moved by ${worst} px`);
  }
});

test("a link to a reply of a later page opens it", async () => {
  await page.goto(`${origin}/t/${threadId}/m/${last.id}`);
  await page.waitForFunction((id) => {
    const row = document.querySelector(`.panel [data-id="${id}"]`);
    const box = document.querySelector(".panel .scroll")?.getBoundingClientRect();
    const at = row?.getBoundingClientRect();
    return at && at.top > box.top && at.bottom < box.bottom && document.activeElement === row;
  }, last.id);
});

test("an answer to a branch far above is the last row of that branch", async () => {
  await page.goto(`${origin}/t/${threadId}`);
  const reply = thread(page).locator(".reply", { hasText: "Reply 0." });
  await reply.hover();
  await reply.getByRole("button", { name: "Reply", exact: true }).click();
  await thread(page).getByRole("textbox").fill("An answer.");
  await thread(page).getByRole("textbox").press("Enter");
  await thread(page).locator(".reply", { hasText: "An answer." }).waitFor();
  await thread(page).locator(".is-pending").waitFor({ state: "detached" });
  assert.equal(await thread(page).locator(".reply", { hasText: "An answer." }).count(), 1);
});
