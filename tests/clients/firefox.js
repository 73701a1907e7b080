// Firefox through WebDriver BiDi, which it speaks itself: no driver is needed.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { WebSocket } from "ws";

const PROGRAM = process.env.HEDDLE_FIREFOX ?? "firefox-esr";

export const isInstalled = () => spawnSync(PROGRAM, ["--version"], { stdio: "ignore" }).status === 0;

/** Starts Firefox and runs the work with a page of it. */
async function withPage(work) {
  const profile = mkdtempSync(join(tmpdir(), "heddle-firefox-"));
  const firefox = spawn(PROGRAM, ["--headless", "--remote-debugging-port=0", "--profile", profile, "about:blank"], {
    env: { ...process.env, HOME: profile }, stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    const url = await new Promise((resolve, reject) => {
      firefox.on("exit", (code) => reject(new Error(`Firefox ended with ${code}`)));
      createInterface({ input: firefox.stderr }).on("line", (line) => {
        const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line);
        if (found) resolve(found[1]);
      });
    });
    const socket = new WebSocket(`${url}/session`);
    await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
    const waiting = new Map();
    socket.on("message", (data) => {
      const { id, type, result, message } = JSON.parse(String(data));
      const found = waiting.get(id);
      if (!found) return;
      waiting.delete(id);
      if (type === "success") found.resolve(result);
      else found.reject(new Error(message));
    });
    let last = 0;
    const command = (method, params) => new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      socket.send(JSON.stringify({ id: last, method, params }));
    });
    await command("session.new", { capabilities: {} });
    const { contexts } = await command("browsingContext.getTree", {});
    const { context } = contexts[0];
    await command("browsingContext.setViewport", { context, viewport: { width: 1440, height: 900 } });
    await work({
      goto: (to) => command("browsingContext.navigate", { context, url: to, wait: "complete" }),
      /** Runs a function in the page. Its value is copied as JSON. */
      async evaluate(body, argument = null) {
        const expression = `(${body})(${JSON.stringify(argument)}).then((value) => JSON.stringify(value ?? null))`;
        const { result, exceptionDetails } = await command("script.evaluate", { expression, target: { context }, awaitPromise: true });
        if (exceptionDetails) throw new Error(exceptionDetails.text);
        return JSON.parse(result.value);
      },
    });
    socket.close();
  } finally {
    firefox.kill();
    if (firefox.exitCode === null) await new Promise((resolve) => firefox.on("exit", resolve));
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Scrolls up through pages of older messages. Returns by how much the first visible message moved at most, and how many
 * pages were prepended.
 * @param {string} origin
 * @param {{username: string, password: string}} who
 * @param {string} path of the conversation
 */
export async function measurePrepends(origin, { username, password }, path) {
  let measured;
  await withPage(async (page) => {
    await page.goto(origin);
    await page.evaluate(async ({ username, password }) => {
      const { Heddle } = await import("/client.js");
      await new Heddle("/graphql").signIn(username, password);
    }, { username, password });
    await page.goto(origin + path);
    measured = await page.evaluate(async () => {
      const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      while (!document.querySelector(".timeline [data-sequence]")) await sleep(50);
      await sleep(500);
      const element = document.querySelector(".room > .scroll");
      const rows = () => [...element.querySelectorAll("[data-sequence]")];
      const { top } = element.getBoundingClientRect();
      let [worst, pages, first] = [0, 0, rows()[0]];
      for (let tries = 0; tries < 400 && pages < 5; tries += 1) {
        element.scrollTop = Math.max(0, element.scrollTop - 150);
        const anchor = rows().find((one) => one.getBoundingClientRect().bottom > top + 1);
        const at = anchor.getBoundingClientRect().top;
        await sleep(60);
        worst = Math.max(worst, Math.abs(anchor.getBoundingClientRect().top - at));
        if (rows()[0] !== first) pages += 1;
        first = rows()[0];
      }
      return { worst, pages };
    });
  });
  return `${measured.worst} px in ${measured.pages} pages`;
}
