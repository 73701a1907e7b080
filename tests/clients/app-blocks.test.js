// Blocking in a browser: Ann blocks Bob in a conversation, on two devices, and removes the block in the settings.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { act, complaints, composer, group, row, send, signIn, timeline } from "./app-page.js";
import { close, launch } from "./browser.js";
import { person } from "./people.js";

let browser, ann, bob, page, other, direct, loom;

before(async () => {
  browser = await launch();
  [ann, bob] = [await person("Ann"), await person("Bob")];
  loom = await group("Loom", [ann, bob]);
  const { conversation } = await act(ann, "openDirectConversation", { userIds: [bob.id] }, "conversation { id }");
  direct = conversation.id;
  await send(bob, loom, "shuttle and reed");
  await send(ann, loom, "warp and weft");
  await send(bob, direct, "hello from Bob");
  page = await signIn(browser, ann, { path: `/c/${loom}?details` });
  other = await signIn(browser, ann, { path: `/c/${direct}`, viewport: { width: 390, height: 800 } });
});

after(() => close());

const looks = async (of, name) => {
  for (const colorScheme of ["light", "dark"]) {
    assert.deepEqual(await complaints(of, { colorScheme }), [], name);
    await of.screenshot({ path: join(process.env.HEDDLE_PICTURES ?? tmpdir(), `app-${name}-${colorScheme}.png`) });
  }
};

test("Ann blocks Bob, and his messages collapse", async () => {
  await row(timeline(page), "shuttle and reed").waitFor();
  await page.getByRole("button", { name: /Bob/ }).last().click();
  await page.getByRole("menuitem", { name: "Block" }).click();
  await page.getByText("You blocked Bob.").waitFor();
  await row(timeline(page), "Message from a person whom you blocked").waitFor();
  assert.equal(await page.getByText("shuttle and reed").count(), 0);
  await row(timeline(page), "warp and weft").waitFor();
  await looks(page, "blocked-room");
  await timeline(page).getByRole("button", { name: "Show" }).click();
  await row(timeline(page), "shuttle and reed").waitFor();
});

test("her other device shows the block in place of the composer", async () => {
  await other.getByText("You blocked Bob. Neither of you can write here.").waitFor();
  assert.equal(await composer(other).count(), 0);
  await looks(other, "blocked-direct");
});

test("Bob sees that he cannot write to her", async () => {
  const his = await signIn(browser, bob, { path: `/c/${direct}` });
  await composer(his).fill("are you there?");
  await composer(his).press("Enter");
  await his.getByRole("alert").filter({ hasText: "You cannot write to this user." }).waitFor();
  await his.context().close();
});

test("Ann removes the block in the settings", async () => {
  await page.goto(new URL("/settings", page.url()).href);
  await page.getByRole("heading", { name: "Blocked people" }).scrollIntoViewIfNeeded();
  await looks(page, "blocked-people");
  await page.getByRole("button", { name: "Unblock Bob" }).click();
  await page.getByText("You have blocked no one.").waitFor();
  await composer(other).waitFor();
  await row(timeline(other), "hello from Bob").waitFor();
});
