// Every screen of the web client: axe-core in light, dark and forced colours, any width, the keyboard alone, and reduced
// motion. HEDDLE_URL names the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { act, complaints, composer, group, row, send, signIn, thread, timeline } from "./app-page.js";
import { close, launch } from "./browser.js";
import { origin, person } from "./people.js";

let browser, page, room, threadId;

before(async () => {
  browser = await launch();
  const [ada, ben, cleo] = [await person("Ada"), await person("Ben"), await person("Cleo")];
  room = await group("Weaving", [ada, ben, cleo]);
  await act(ada, "updateConversation", { conversationId: room, topic: "Looms and wool" }, "conversation { id }");
  const root = await send(ben, room, "Which **sett** for the scarf? `12` or 14?\n\n- plain weave\n- twill\n\n> as before");
  await send(cleo, room, "```sh\nweave --sett 12\n```");
  let parent = root.id;
  for (let depth = 1; depth <= 8; depth += 1) {
    const sent = await send(depth % 2 ? ada : ben, room, `Level ${depth}`, parent);
    [parent, threadId] = [sent.id, sent.thread.id];
  }
  await send(ben, room, `Look, @${ada.username}: https://example.org`);
  const edited = await send(ada, room, "I walk the rute.");
  await act(ada, "editMessage", { messageId: edited.id, body: "I walk the route.", reason: "Typo" }, "message { id }");
  const gone = await send(ben, room, "Never mind.");
  await send(cleo, room, "What?", gone.id);
  await act(ben, "deleteMessage", { messageId: gone.id }, "deletedMessageId");
  await send(ben, await group("Other", [ben, ada]), "Hello.");
  page = await signIn(browser, ada);
});

after(close);

const conversation = async () => {
  await page.goto(`${origin}/c/${room}`);
  await row(timeline(page), "I walk the route.").waitFor();
};
const panel = () => page.locator("[aria-label=Thread]");
const opened = async (button) => {
  await button.click();
  await page.getByRole("dialog").waitFor();
};

/** Each screen, and how to reach it. */
const SCREENS = {
  home: async () => {
    await page.goto(origin);
    await page.locator("[data-conversation]").first().waitFor({ state: "attached" });
  },
  timeline: conversation,
  thread: async () => {
    await page.goto(`${origin}/t/${threadId}`);
    await panel().locator(".reply", { hasText: "Level 8" }).waitFor();
  },
  "thread by time": async () => {
    await SCREENS.thread();
    await page.getByRole("button", { name: "Time", exact: true }).click();
    await panel().locator(".by-time .reply").first().waitFor();
    await page.evaluate(() => localStorage.removeItem("heddle order"));
  },
  history: async () => {
    await conversation();
    await opened(page.getByRole("button", { name: "edited" }));
    await page.locator("ins").first().waitFor();
  },
  details: async () => {
    await page.goto(`${origin}/c/${room}?details`);
    await page.locator(".person").last().waitFor();
  },
  inbox: async () => {
    await page.goto(`${origin}/inbox`);
    await page.locator(".item").first().waitFor();
  },
  threads: async () => {
    await page.goto(`${origin}/inbox#threads`);
    await page.locator(".is-thread").first().waitFor();
  },
  settings: async () => {
    await page.goto(`${origin}/settings`);
    await page.getByText("This device").waitFor();
  },
  "delete account": async () => {
    await SCREENS.settings();
    await opened(page.getByRole("button", { name: "Delete account" }));
  },
  "new conversation": async () => {
    await SCREENS.home();
    await opened(page.locator(".sidebar").getByRole("button", { name: "New conversation" }));
    await page.getByRole("option").first().waitFor();
  },
  palette: async () => {
    await SCREENS.home();
    await page.keyboard.press("Control+k");
    await page.getByRole("option").first().waitFor();
  },
  shortcuts: async () => {
    await SCREENS.home();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
  },
  "not found": async () => {
    await page.goto(`${origin}/c/con_00000000000000000000000000`);
    await page.getByText("It does not exist, or you cannot see it.").waitFor();
  },
};

const MEDIA = [{ colorScheme: "light", forcedColors: "none" }, { colorScheme: "dark", forcedColors: "none" }, { colorScheme: "light", forcedColors: "active" }];

async function passes(of, name) {
  for (const media of MEDIA) assert.deepEqual(await complaints(of, media), [], `${name}, ${JSON.stringify(media)}`);
  await of.emulateMedia({ colorScheme: "light", forcedColors: "none" });
}

test("axe-core accepts every screen in light, dark and forced colours", async () => {
  for (const [name, open] of Object.entries(SCREENS)) {
    await open();
    await passes(page, name);
  }
});

test("axe-core accepts the pages of a signed-out user", async () => {
  const gate = await (await browser.newContext({ locale: "en-GB", serviceWorkers: "block" })).newPage();
  await gate.goto(origin);
  await gate.getByLabel("Email or username").waitFor();
  await passes(gate, "sign-in");
  await gate.getByRole("button", { name: "Create account" }).click();
  await gate.getByRole("button", { name: "Create account" }).click();
  await gate.getByRole("alert").waitFor();
  await passes(gate, "registration with problems");
  await gate.goto(`${origin}/setup#hst_x`);
  await gate.getByRole("heading", { name: "Set up this server" }).waitFor();
  await passes(gate, "first start");
  await gate.context().close();
});

/** Nothing on the page is wider than the window, and what can be pressed on a phone is at least 24 pixels large. */
async function fits(width, name) {
  const wide = await page.evaluate(() => {
    const boxes = [document.scrollingElement, ...document.querySelectorAll(".scroll, .sidebar, .dialog-body")];
    return boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => `${box.className} ${box.scrollWidth} > ${box.clientWidth}`);
  });
  assert.deepEqual(wide, [], `${name}, ${width} px`);
}

test("every screen fits from 360 to 1920 pixels", async () => {
  for (const [name, open] of Object.entries(SCREENS)) {
    await page.setViewportSize({ width: 1440, height: 900 });
    // On a phone some of the ways to a screen are elsewhere: it opens before the window shrinks.
    await open();
    for (const width of [1920, 1101, 1100, 721, 720, 360]) {
      await page.setViewportSize({ width, height: 800 });
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await fits(width, name);
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("the keyboard reaches everything, and shows where it is", async () => {
  await page.emulateMedia({ colorScheme: "light", forcedColors: "none", reducedMotion: "reduce" });
  await SCREENS.thread();
  await page.locator(".viewer-menu").focus();
  const seen = [];
  for (let at = 0; at < 60; at += 1) {
    const here = await page.evaluate(async () => {
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const element = document.activeElement;
      const box = element.closest(".composer-box, .input") ?? element;
      const look = (pseudo) => getComputedStyle(box, pseudo);
      const isShown = look().outlineStyle !== "none" || look().boxShadow !== "none" || look("::after").opacity === "1";
      return { name: element.getAttribute("aria-label") ?? element.textContent.trim().slice(0, 30), role: element.getAttribute("role"), tag: element.localName, isShown };
    });
    if (here.tag === "body") break;
    assert.ok(here.name, JSON.stringify(here));
    assert.ok(here.isShown, `no focus is visible on ${JSON.stringify(here)}`);
    seen.push(here.name);
    await page.keyboard.press("Tab");
  }
  for (const name of ["New conversation", "Details", "Message Weaving", "Width of the panel", "Copy link to the thread", "Close thread", "Tree"]) {
    assert.ok(seen.some((one) => one.startsWith(name)), `${name} is not in ${seen.join(", ")}`);
  }
  // The edge of the panel moves, and stays there after a reload.
  const edge = page.getByRole("separator", { name: "Width of the panel" });
  await edge.focus();
  const width = async () => Math.round((await thread(page).boundingBox()).width);
  const before = await width();
  for (let at = 0; at < 5; at += 1) await page.keyboard.press("ArrowLeft");
  assert.equal(await width(), before + 80);
  await page.reload();
  await thread(page).locator(".reply").first().waitFor();
  assert.equal(await width(), before + 80);
  await edge.focus();
  await page.keyboard.press("Home");
  assert.equal(await width(), 320);
});

test("selected text is quoted in the reply", async () => {
  await SCREENS.thread();
  const text = thread(page).locator(".reply", { hasText: "Level 3" }).locator(".text");
  await text.selectText();
  await page.getByRole("button", { name: "Quote in reply" }).click();
  await page.waitForFunction(() => document.querySelector(".panel textarea").value.includes("> Level 3"));
  await thread(page).locator(".target", { hasText: "Ada" }).waitFor();
  await thread(page).getByRole("textbox").fill("");
});

test("marking everything as read can be taken back, and a message marked unread from there on", async () => {
  const [dan, eve] = [await person("Dan"), await person("Eve")];
  const place = await group("Marks", [dan, eve]);
  for (let at = 1; at <= 3; at += 1) await send(eve, place, `Line ${at}.`);
  const reader = await signIn(browser, dan);
  const unread = reader.locator(".side-row.is-unread", { hasText: "Marks" });
  await unread.waitFor();
  // Nothing is read while the tab has no focus.
  await reader.evaluate(() => { document.hasFocus = () => false; });
  await reader.getByRole("link", { name: "Marks" }).click();
  await row(timeline(reader), "Line 3.").waitFor();
  await unread.waitFor();
  await composer(reader).press("Escape");
  await unread.waitFor({ state: "detached" });
  await reader.getByText("Marked 3 as read").waitFor();
  await reader.getByRole("button", { name: "Undo" }).click();
  await unread.getByText("3 unread").waitFor({ state: "attached" });
  await composer(reader).press("Escape");
  await unread.waitFor({ state: "detached" });
  await row(timeline(reader), "Line 2.").hover();
  await row(timeline(reader), "Line 2.").getByRole("button", { name: "More actions" }).click();
  await reader.getByRole("menuitem", { name: "Mark unread from here" }).click();
  await unread.getByText("2 unread").waitFor({ state: "attached" });
  await reader.context().close();
});

test("with reduced motion nothing moves", async () => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await conversation();
  await page.keyboard.press("Control+k");
  const moving = await page.evaluate(() => {
    const styles = [...document.querySelectorAll("*")].map((one) => getComputedStyle(one));
    const seconds = (list) => Math.max(...list.split(",").map((part) => (part.trim().endsWith("ms") ? parseFloat(part) / 1000 : parseFloat(part))));
    return styles.filter((style) => seconds(style.transitionDuration) > 0.001 || (style.animationName !== "none" && seconds(style.animationDuration) > 0.001)).length;
  });
  assert.equal(moving, 0);
});
