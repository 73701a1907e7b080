// Measures the web client in Chromium, and scrolling in Firefox if it is installed: node figures.js. `just figures` builds
// an optimised server and runs it. The seed generates a conversation of 100,000 messages; the API adds a thread of 10,000
// replies.
import { readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { withServer } from "./server.js";

const MESSAGES = Number(process.env.HEDDLE_FIGURES_MESSAGES ?? 200_000);
const REPLIES = Number(process.env.HEDDLE_FIGURES_REPLIES ?? 10_000);
/** How long the busy conversation is, in seconds, and its messages per second. */
const BUSY = Number(process.env.HEDDLE_FIGURES_BUSY ?? 180);
const RATE = 20;
/** The public password of generated users. */
const PASSWORD = "over-under-over-under";

/** Set once the server runs. */
let people, page_, browser_, firefox_;
let browser;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const print = (name, value) => console.log(`| ${name} | ${value} |`);
const sorted = (list) => [...list].sort((a, b) => a - b);
const quantile = (list, part) => sorted(list)[Math.min(list.length - 1, Math.floor(list.length * part))];
const round = (value) => Math.round(value * 10) / 10;

function sizes() {
  const dist = fileURLToPath(new URL("../../web/app/dist", import.meta.url));
  const files = readdirSync(dist, { recursive: true }).filter((name) => name.endsWith(".br"));
  const size = (test) => files.filter(test).reduce((sum, name) => sum + statSync(`${dist}/${name}`).size, 0);
  const kilobytes = (test) => `${round(size(test) / 1024)} KiB`;
  const isLanguage = (name) => /\/(ar|ja)-/.test(name);
  print("scripts of the page, compressed", kilobytes((name) => /app\/.*\.js\.br$/.test(name) && !isLanguage(name)));
  print("each further language, compressed", kilobytes((name) => /\/ar-/.test(name)));
  print("service worker, compressed", kilobytes((name) => name === "sw.js.br"));
  print("styles, compressed", kilobytes((name) => name.endsWith(".css.br")));
  print("font", kilobytes((name) => name.endsWith(".woff2.br")));
}

/** From the start of the navigation until messages are painted, on a processor that is four times slower. */
async function firstPaint(page, url) {
  const session = await page.context().newCDPSession(page);
  await page.addInitScript(() => {
    const observer = new MutationObserver(() => {
      if (!document.querySelector(".timeline [data-sequence]")) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => (globalThis.painted = performance.now())));
    });
    observer.observe(document, { childList: true, subtree: true });
  });
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  const [first, messages] = [[], []];
  for (let at = 0; at < 11; at += 1) {
    await page.goto(url);
    await page.waitForFunction(() => globalThis.painted);
    const [shell, all] = await page.evaluate(() => [performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0, globalThis.painted]);
    // The first run fills the cache.
    if (at) first.push(shell);
    if (at) messages.push(all);
  }
  await session.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  print("first paint, 4 × slower processor, median of ten", `${round(quantile(first, 0.5))} ms`);
  print("messages painted, 4 × slower processor, median of ten", `${round(quantile(messages, 0.5))} ms`);
}

/** From Enter in one window to the paint in another. */
async function delivery(from, to) {
  const times = [];
  for (let at = 0; at < 100; at += 1) {
    const text = `Delivery ${at}.`;
    const seen = to.evaluate((text) => new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (![...document.querySelectorAll(".timeline .message")].slice(-3).some((row) => row.textContent.includes(text))) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => resolve(performance.timeOrigin + performance.now())));
      });
      observer.observe(document.querySelector(".timeline"), { childList: true, subtree: true, characterData: true });
    }), text);
    await from.locator(".room textarea").fill(text);
    const sent = await from.evaluate(() => {
      const field = document.querySelector(".room textarea");
      const now = performance.timeOrigin + performance.now();
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
      return now;
    });
    times.push((await seen) - sent);
    await sleep(30);
  }
  print("from sending to display for the other user, p50", `${round(quantile(times, 0.5))} ms`);
  print("from sending to display for the other user, p95", `${round(quantile(times, 0.95))} ms`);
}

/** Scrolls by some pixels in every frame. Returns frames per second, and the rows that passed. */
const scroll = (page, selector, step, seconds) => page.evaluate(async ({ selector, step, seconds }) => {
  const box = document.querySelector(selector);
  const frame = () => new Promise(requestAnimationFrame);
  let last = await frame();
  const start = last;
  const [frames, rows] = [[], new Set()];
  let most = 0;
  while (last - start < seconds * 1000) {
    box.scrollTop += step;
    const now = await frame();
    frames.push(now - last);
    last = now;
    if (frames.length % 10 === 0) {
      const shown = box.querySelectorAll("[data-id]");
      most = Math.max(most, shown.length);
      for (const row of shown) rows.add(row.dataset.id);
    }
  }
  frames.sort((a, b) => a - b);
  const rate = (list) => Math.round(1000 / (list.reduce((sum, ms) => sum + ms, 0) / list.length));
  return { average: rate(frames), worst: rate(frames.slice(-Math.ceil(frames.length / 20))), rows: rows.size, most };
}, { selector, step, seconds });

async function scrolling(page, url, threadUrl) {
  await page.goto(url);
  await page.locator(".timeline [data-sequence]").first().waitFor();
  await sleep(500);
  const timeline = await scroll(page, ".room > .scroll", -60, 10);
  print(`frames per second, ${MESSAGES / 2} messages (average / slowest twentieth)`, `${timeline.average} / ${timeline.worst}; ${timeline.rows} rows passed, at most ${timeline.most} in the page`);
  await page.goto(threadUrl);
  await page.locator(".tree .reply").first().waitFor();
  await sleep(500);
  const thread = await scroll(page, ".panel .scroll", 60, 20);
  print(`frames per second, thread of ${REPLIES} replies (average / slowest twentieth)`, `${thread.average} / ${thread.worst}; ${thread.rows} rows passed, at most ${thread.most} in the page`);
}

/** The memory of a page while a conversation is busy. */
async function memory(page, who, conversationId) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  const used = async () => {
    for (let at = 0; at < 3; at += 1) await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize / 2 ** 20;
  };
  const measured = [await used()];
  const start = Date.now();
  let sent = 0;
  const busy = (async () => {
    while (Date.now() - start < BUSY * 1000) {
      await page_.send(who, conversationId, `Busy ${sent}: ${"word ".repeat(sent % 40)}`);
      sent += 1;
      await sleep(Math.max(0, start + (sent * 1000) / RATE - Date.now()));
    }
  })();
  while (Date.now() - start < BUSY * 1000) {
    await sleep((BUSY * 1000) / 6);
    measured.push(await used());
  }
  await busy;
  print(`heap while ${sent} messages arrive in ${BUSY} s, every ${BUSY / 6} s`, `${measured.map((size) => `${round(size)}`).join(", ")} MiB`);
}

async function longThread(who, conversationId) {
  const root = await page_.send(who, conversationId, "The root of a long thread.");
  const ids = [root.id];
  let thread;
  // Every fourth reply begins a branch; the others continue one.
  const one = async (at) => {
    const parent = at % 4 ? ids[Math.max(0, ids.length - 1 - (at % 7))] : root.id;
    const sent = await page_.send(who, conversationId, `Reply ${at}: ${"thread ".repeat(at % 12)}`, parent);
    ids.push(sent.id);
    thread = sent.thread.id;
  };
  await one(0);
  for (let at = 1; at < REPLIES; at += 50) await Promise.all(Array.from({ length: Math.min(50, REPLIES - at) }, (_, i) => one(at + i)));
  return thread;
}

await withServer(async (printed) => {
  people = await import("./people.js");
  page_ = await import("./app-page.js");
  browser_ = await import("./browser.js");
  firefox_ = await import("./firefox.js");
  const { origin, person, request } = people;
  console.log(`| Figure | Value |\n|---|---|`);
  sizes();
  const { signIn } = await request(
    `mutation ($input: SignInInput!) { signIn(input: $input) { auth { accessToken viewer { user { id username } conversations(first: 1) { nodes { id } } } } } }`,
    { input: { login: /Sign in as (\S+)/.exec(printed)[1], password: PASSWORD } },
  );
  const { viewer, accessToken } = signIn.auth;
  const seeded = { username: viewer.user.username, password: PASSWORD, id: viewer.user.id, token: accessToken };
  const large = viewer.conversations.nodes[0].id;
  const [ada, ben] = [await person("Ada"), await person("Ben")];
  const small = await page_.group("Figures", [ada, ben]);
  for (let at = 0; at < 60; at += 1) await page_.send(ben, small, `Line ${at}.`);
  browser = await browser_.launch();
  try {
    const open = (who, path) => page_.signIn(browser, who, { path, serviceWorkers: "allow" });
    const first = await open(ada, `/c/${small}`);
    await firstPaint(first, `${origin}/c/${small}`);
    const second = await open(ben, `/c/${small}`);
    await second.locator(".timeline [data-sequence]").first().waitFor();
    await delivery(first, second);
    await second.context().close();
    const reader = await open(seeded, "/");
    const thread = await longThread(seeded, large);
    await scrolling(reader, `${origin}/c/${large}`, `${origin}/t/${thread}`);
    await reader.context().close();
    await first.goto(`${origin}/c/${small}`);
    await memory(first, ben, small);
    if (firefox_.isInstalled()) print("largest move of the anchored row while pages are prepended, Firefox", await firefox_.measurePrepends(origin, seeded, `/c/${large}`));
  } finally {
    await browser_.close();
  }
}, [["--users", "20", "--conversations", "1", "--messages", String(MESSAGES)]]);
