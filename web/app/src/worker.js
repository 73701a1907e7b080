// The service worker keeps the page and its files, so that the client starts without a connection. The build puts
// VERSION, ENTRY and FILES in front of it.

const CACHE = `heddle ${VERSION}`;
/** Addresses that the page of the client answers. */
const SCREENS = /^\/($|[ct]\/|(inbox|settings|setup|verify-email|reset-password)$)/;
/** How long a connection may take before the stored page appears, in milliseconds. */
const PATIENCE = 4_000;
/** The headers of a stored file do not depend on the request. */
const ANY = { ignoreVary: true };

async function install() {
  const cache = await caches.open(CACHE);
  const page = await fetch("/", { cache: "reload" });
  // During an update of several servers, the page can be of another version. A later attempt fits.
  if (!page.ok || !(await page.clone().text()).includes(ENTRY)) throw new Error("the page is of another version");
  await Promise.all([cache.put("/", page), cache.addAll(FILES)]);
}

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith("heddle ") && name !== CACHE) await caches.delete(name);
  await self.clients.claim();
}

/** The page of the server if it answers in time, otherwise the stored one. */
async function page(request) {
  const network = fetch(request);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  const response = await Promise.race([network, late]).catch(() => undefined);
  if (response && (response.ok || response.type === "opaqueredirect")) return response;
  return (await caches.match("/", ANY)) ?? network;
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", ({ data }) => {
  if (data === "activate") void self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (SCREENS.test(pathname)) event.respondWith(page(request));
  } else if (FILES.includes(pathname)) {
    event.respondWith(caches.match(pathname, ANY).then((stored) => stored ?? fetch(request)));
  }
});
