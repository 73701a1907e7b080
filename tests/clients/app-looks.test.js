// Compares a few screens of the web client with committed pictures. What differs between two runs (colours that follow
// from ids, times, and usernames) is the same or hidden here. After an intended change: HEDDLE_TEST_LOOKS=update, look at the
// pictures in `looks`, and commit them. HEDDLE_URL names the server.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { act, group, row, send, signIn, timeline } from "./app-page.js";
import { close, launch } from "./browser.js";
import { origin, person } from "./people.js";

const FOLDER = fileURLToPath(new URL("looks", import.meta.url));
/** A pixel differs if a channel does by more than this, of 255. Smoothing of letters differs less. */
const CHANNEL = 48;
/** The part of the pixels that may differ. */
const TOLERANCE = 0.004;

/** Local time is about noon, so that all messages are of today. */
const offset = 12 - new Date().getUTCHours();
const timezoneId = `Etc/GMT${offset > 0 ? "-" : "+"}${Math.abs(offset)}`;

/** The same in every run: the dyes follow from ids. */
const STYLE = `
  [class*="dye-"] { --dye: light-dark(#4763c4, #8ea3f5) !important; }
  time, .gutter-time, .replies .clip, .is-lead { visibility: hidden !important; }
  .presence { visibility: hidden !important; }
`;

let browser, comparer, ada, room, threadId;

before(async () => {
  browser = await launch();
  comparer = await (await browser.newContext()).newPage();
  let ben;
  [ada, ben] = [await person("Ada"), await person("Ben")];
  room = await group("Exhibition planning", [ada, ben]);
  await act(ada, "updateConversation", { conversationId: room, topic: "Opening in December" }, "conversation { id }");
  const root = await send(ben, room, "The gallery confirmed the floor load: **350 kg** per square metre. Where do we want the big loom?");
  const window = await send(ada, room, "By the north window, for the morning light.", root.id);
  const light = await send(ben, room, "Good light, but that radiator dries the linen.", window.id);
  await send(ada, room, "It can be turned off.", light.id);
  threadId = (await send(ben, room, "The window is also the fire exit.", root.id)).thread.id;
  await send(ben, room, "Labels build again:\n\n- three scripts\n- _matt_ stock\n\n> print one of each first");
  await send(ada, room, "Done.");
  await act(ada, "markConversationsRead", { conversations: [{ conversationId: room }] });
  await act(ada, "markThreadRead", { threadId }, "markedCount");
});

after(close);

/** Returns the part of the pixels that differ; 1 if the sizes do. */
const difference = (one, other) => comparer.evaluate(async ({ one, other, channel }) => {
  const read = async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };
  const [first, second] = [await read(one), await read(other)];
  if (first.width !== second.width || first.height !== second.height) return 1;
  let count = 0;
  for (let at = 0; at < first.data.length; at += 4) {
    if ([0, 1, 2].some((part) => Math.abs(first.data[at + part] - second.data[at + part]) > channel)) count += 1;
  }
  return count / (first.data.length / 4);
}, { one: one.toString("base64"), other: other.toString("base64"), channel: CHANNEL });

async function looks(page, name) {
  await page.addStyleTag({ content: STYLE });
  await page.evaluate(() => document.fonts.ready);
  await page.mouse.move(0, 0);
  const taken = await page.screenshot({ animations: "disabled", caret: "hide" });
  const path = join(FOLDER, `${name}.png`);
  if (process.env.HEDDLE_TEST_LOOKS === "update") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path, taken);
    return;
  }
  const part = await difference(readFileSync(path), taken);
  if (part > TOLERANCE && process.env.HEDDLE_PICTURES) writeFileSync(join(process.env.HEDDLE_PICTURES, `looks-${name}.png`), taken);
  assert.ok(part <= TOLERANCE, `${name}: ${(part * 100).toFixed(2)} % of the pixels differ`);
}

const OPTIONS = { bypassCSP: true, timezoneId };

test("the sign-in looks as before", async () => {
  const page = await (await browser.newContext({ ...OPTIONS, viewport: { width: 390, height: 640 }, locale: "en-GB", reducedMotion: "reduce", serviceWorkers: "block" })).newPage();
  await page.goto(origin);
  await page.getByLabel("Email or username").waitFor();
  await looks(page, "sign-in");
});

test("a conversation with a thread looks as before, in light and dark, on a desk and on a phone", async () => {
  const page = await signIn(browser, ada, { ...OPTIONS, viewport: { width: 1180, height: 640 }, path: `/t/${threadId}` });
  await row(timeline(page), "Done.").waitFor();
  await page.locator(".tree .reply", { hasText: "fire exit" }).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await looks(page, `thread-${colorScheme}`);
  }
  await page.setViewportSize({ width: 390, height: 640 });
  await looks(page, "thread-phone-dark");
});

test("the settings look as before", async () => {
  const page = await signIn(browser, ada, { ...OPTIONS, viewport: { width: 1000, height: 560 }, path: "/settings" });
  await page.getByText("This device").waitFor();
  await looks(page, "settings");
});
