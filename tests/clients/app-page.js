// What the tests of the web client share: a signed-in page, rows by their text, and acts of other people.
import { readFileSync } from "node:fs";

import { origin, request } from "./people.js";

/**
 * Opens a window of its own, and signs in as a person who exists.
 * @param {import("playwright-core").Browser} browser
 * @param {{username: string, password: string}} who
 * @param {object} [options] of the window; `url` is the origin, `path` the first page after the sign-in
 */
export async function signIn(browser, who, { url = origin, path = "/", ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", locale: "en-GB", serviceWorkers: "block", ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  await fillIn(page, who);
  await page.locator(".viewer-name").waitFor({ state: "attached" });
  if (path !== "/") await page.goto(url + path);
  return page;
}

/** Fills in the sign-in form. */
export async function fillIn(page, { username, password }) {
  await page.getByLabel("Email or username").fill(username);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export const timeline = (page) => page.getByRole("list", { name: "Messages" });
export const composer = (page) => page.locator(".room textarea.composer-text");
export const thread = (page) => page.getByRole("complementary", { name: "Thread" });
/** The last row with a text. */
export const row = (scope, text) => scope.locator("li[data-id]", { hasText: text }).last();

const INPUTS = {
  createConversation: "conversation { id }",
  sendMessage: "message { id thread { id } }",
  deleteConversation: "deletedConversationId",
  revokeSessions: "revokedSessionIds",
  markConversationsRead: "markedCount",
};

/** Runs a mutation as a person. */
export async function act(who, name, input, selection = INPUTS[name]) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  const data = await request(`mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} } }`, { input }, who.token);
  return data[name];
}

/** A group of people; the first one owns it. */
export async function group(title, [owner, ...others]) {
  const { conversation } = await act(owner, "createConversation", { title, participantIds: others.map(({ id }) => id) });
  return conversation.id;
}

export async function send(who, conversationId, body, parentId = null) {
  return (await act(who, "sendMessage", { conversationId, body, parentId })).message;
}

const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/**
 * What axe-core complains about on a page.
 * @param {import("playwright-core").Page} page
 * @param {object} media as `emulateMedia` takes it
 */
export async function complaints(page, media) {
  await page.emulateMedia({ reducedMotion: "reduce", ...media });
  // The policy of the page does not limit the test.
  await page.evaluate(axe);
  return page.evaluate(async (rules) => {
    // A change of the colours is a transition.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    await Promise.all(document.getAnimations().map(({ finished }) => finished));
    const { violations } = await globalThis.axe.run(document, { runOnly: rules });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`).join(" ")}`);
  }, RULES);
}
