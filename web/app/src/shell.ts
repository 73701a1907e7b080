// Keeps the page and its files for starts without a connection, and knows when the server has newer ones.
import { signal } from "@preact/signals";

import { trustedScript } from "./trusted";

/** The server has a newer version of this page. */
export const updated = signal(false);

/** The least time between two questions to the server, in milliseconds. */
const INTERVAL = 60_000;

/** Undefined also where a test or a policy blocks service workers. */
let registration: ServiceWorkerRegistration | undefined;
let askedAt = 0;
let isWanted = false;

/** Registers the service worker once the page is loaded. */
export function keepShell(): void {
  const workers = navigator.serviceWorker;
  if (import.meta.env.DEV || !workers) return;
  // Another tab may have activated the new version: this one still shows the old one.
  const hadOne = !!workers.controller;
  workers.addEventListener("controllerchange", () => {
    if (isWanted) location.reload();
    else if (hadOne) updated.value = true;
  });
  addEventListener("load", async () => {
    try {
      registration = await workers.register(trustedScript("/sw.js"));
    } catch {
      return; // A browser that stores nothing: the page works while it is connected.
    }
    if (!registration) return;
    askedAt = Date.now();
    // This page has just come from the server, so a version that waits is its own.
    registration.waiting?.postMessage("activate");
    registration.addEventListener("updatefound", () => {
      const { installing } = registration!;
      installing?.addEventListener("statechange", () => {
        if (installing.state === "installed" && workers.controller) updated.value = true;
      });
    });
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") checkShell();
  });
}

/** Asks whether the server has a newer version, at most once a minute. */
export function checkShell(): void {
  if (!registration || Date.now() - askedAt < INTERVAL) return;
  askedAt = Date.now();
  registration.update().catch(() => {});
}

/** Loads the page again, with the newer version. */
export function useUpdate(): void {
  isWanted = true;
  if (registration?.waiting) registration.waiting.postMessage("activate");
  else location.reload();
}
