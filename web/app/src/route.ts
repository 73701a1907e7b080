// Addresses of the screens. Links in the page change the address without a load.
import { signal } from "@preact/signals";

import { followClicks } from "./clicks";

export type Route =
  | { page: "home" }
  | { page: "room"; conversationId: string; messageId?: string; panel?: "details" | "reply"; rootId?: string }
  | { page: "thread"; threadId: string; messageId?: string }
  | { page: "inbox"; threads: boolean }
  | { page: "settings" }
  | { page: "setup"; token: string }
  | { page: "invite"; token: string }
  | { page: "verify-email"; token: string }
  | { page: "reset-password"; token: string };

function parse(): Route {
  const [, first, id, kind, messageId] = location.pathname.split("/");
  const query = new URLSearchParams(location.search);
  if (first === "c" && id) {
    const rootId = query.get("reply");
    return {
      page: "room",
      conversationId: id,
      ...(kind === "m" && messageId ? { messageId } : {}),
      ...(query.has("details") ? { panel: "details" as const } : rootId ? { panel: "reply" as const, rootId } : {}),
    };
  }
  if (first === "t" && id) return { page: "thread", threadId: id, ...(kind === "m" && messageId ? { messageId } : {}) };
  if (first === "inbox") return { page: "inbox", threads: location.hash === "#threads" };
  if (first === "settings") return { page: "settings" };
  if (first === "setup" || first === "invite" || first === "verify-email" || first === "reset-password") return { page: first, token: location.hash.slice(1) };
  return { page: "home" };
}

export const route = signal<Route>({ page: "home" });

export function navigate(path: string, replace = false): void {
  if (path === location.pathname + location.search + location.hash) replace = true;
  history[replace ? "replaceState" : "pushState"](null, "", path);
  route.value = parse();
}

export const toConversation = (id: string) => `/c/${id}`;
export const toMessage = (conversationId: string, messageId: string) => `/c/${conversationId}/m/${messageId}`;
export const toDetails = (id: string) => `/c/${id}?details`;
export const toThread = (id: string, messageId?: string) => (messageId ? `/t/${id}/m/${messageId}` : `/t/${id}`);
/** A message that has no replies yet. */
export const toReply = (conversationId: string, rootId: string) => `/c/${conversationId}?reply=${rootId}`;

/** Paths that the server answers with something else. */
const OUTSIDE = ["/graphql", "/graphiql", "/client.js", "/app/", "/admin"];

export function followLinks(): void {
  route.value = parse();
  addEventListener("popstate", () => (route.value = parse()));
  followClicks((href) => href.startsWith("/") && !OUTSIDE.some((path) => href.startsWith(path)), navigate);
}
