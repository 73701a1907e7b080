// The web client without a connection, and after an update of the server: what it stores, and what it says. A proxy
// stands in for the network. HEDDLE_URL names the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { act, composer, group, row, send, signIn, thread, timeline } from "./app-page.js";
import { close, launch } from "./browser.js";
import { origin, person } from "./people.js";
import { startProxy } from "./proxy.js";

let browser, network, ada, ben, room, root, page;

before(async () => {
  browser = await launch();
  network = await startProxy(origin);
  [ada, ben] = [await person("Ada"), await person("Ben")];
  room = await group("Weaving", [ada, ben]);
  root = await send(ben, room, "Which reed for linen?");
  await send(ben, room, "The fine one.", root.id);
  await act(ada, "markConversationsRead", { conversations: [{ conversationId: room }] });
});

after(async () => {
  await close();
  network.close();
});

/** Waits until the service worker has stored the page. */
const stored = () => page.evaluate(async () => {
  await navigator.serviceWorker.ready;
  while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 20));
});

/** Waits until what the browser has stored of the data passes a check. */
async function kept(check) {
  for (const end = Date.now() + 15_000; ; ) {
    const pictures = await page.evaluate(async () => {
      const opening = indexedDB.open("heddle");
      const open = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
      const reading = open.transaction("pictures").objectStore("pictures").getAll();
      const rows = await new Promise((resolve) => (reading.onsuccess = () => resolve(reading.result)));
      open.close();
      return JSON.stringify(rows);
    });
    if (check(pictures)) return;
    assert.ok(Date.now() < end, pictures);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("browsers can install the client", async () => {
  page = await signIn(browser, ada, { url: network.url, path: `/c/${room}`, serviceWorkers: "allow" });
  const href = await page.locator("link[rel=manifest]").getAttribute("href");
  const manifest = await (await fetch(origin + href)).json();
  assert.deepEqual([manifest.display, manifest.start_url], ["standalone", "/"]);
  for (const { src, sizes } of manifest.icons) {
    const size = await page.evaluate(async (src) => {
      const image = new Image();
      image.src = src;
      await image.decode();
      return `${image.naturalWidth}x${image.naturalHeight}`;
    }, src);
    assert.equal(size, sizes);
  }
  await stored();
});

test("a start without a connection shows what was loaded, and sends later", async () => {
  await row(timeline(page), "Which reed").getByText("1 reply").click();
  await row(thread(page), "The fine one.").waitFor();
  await composer(page).fill("A draft");
  await kept((pictures) => pictures.includes("The fine one."));
  network.answer = (_incoming, outgoing) => { outgoing.destroy(); return true; };
  network.sockets = false;
  network.cut();
  await page.reload();
  await row(timeline(page), "Which reed for linen?").waitFor();
  await row(thread(page), "The fine one.").waitFor();
  await page.getByText("Reconnecting…").first().waitFor();
  assert.equal(await composer(page).inputValue(), "A draft");
  await composer(page).fill("Sent from a train.");
  await composer(page).press("Enter");
  await timeline(page).locator(".is-pending", { hasText: "Sent from a train." }).waitFor();
  await page.reload();
  await timeline(page).locator(".is-pending", { hasText: "Sent from a train." }).waitFor();
  await send(ben, room, "Meanwhile.");

  network.answer = null;
  network.sockets = true;
  await page.getByRole("button", { name: "Retry now" }).first().click();
  await row(timeline(page), "Meanwhile.").waitFor();
  await timeline(page).locator(".is-pending").waitFor({ state: "detached" });
  await page.getByText("Reconnecting…").first().waitFor({ state: "detached" });
  assert.equal(await timeline(page).getByText("Sent from a train.").count(), 1);
});

test("after an update of the server the page offers to load the new version", async () => {
  const worker = await (await fetch(`${origin}/sw.js`)).text();
  await page.reload();
  await row(timeline(page), "Meanwhile.").waitFor();
  await stored();
  network.answer = ({ url }, outgoing) => {
    if (url !== "/sw.js") return false;
    outgoing.writeHead(200, { "content-type": "text/javascript", "cache-control": "no-cache" });
    outgoing.end(worker.replace(/VERSION="\w+"/, 'VERSION="newer"'));
    return true;
  };
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update());
  await page.getByText("A newer version is ready.").waitFor();
  await composer(page).fill("A draft that stays");
  await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Reload" }).click()]);
  await row(timeline(page), "Meanwhile.").waitFor();
  assert.equal(await composer(page).inputValue(), "A draft that stays");
  assert.equal(await page.getByText("A newer version is ready.").count(), 0);
  assert.deepEqual(await page.evaluate(() => caches.keys()), ["heddle newer"]);
});

test("signing out deletes what the browser stored", async () => {
  await page.locator(".viewer-menu").click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await kept((pictures) => pictures === "[]");
});
