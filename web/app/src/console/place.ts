// The address: the page and, as its query, the filters. Links inside the console change it without a load.
import { signal } from "@preact/signals";

import { followClicks } from "../clicks";

export interface Place {
  page: "accounts" | "invitations" | "audit";
  /** The user whose account is open. */
  userId: string | null;
  filters: URLSearchParams;
}

function read(): Place {
  const [, , page, id] = location.pathname.split("/");
  const filters = new URLSearchParams(location.search);
  if (page === "invitations" || page === "audit") return { page, userId: null, filters };
  return { page: "accounts", userId: page === "accounts" ? (id ?? null) : null, filters };
}

export const place = signal<Place>(read());

export function go(path: string, replace = false): void {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  place.value = read();
}

/** The address with other filters. An empty value removes its filter. The page begins at its start again. */
export function filtered(changes: Record<string, string>): string {
  const filters = new URLSearchParams(location.search);
  filters.delete("after");
  for (const [name, value] of Object.entries(changes)) {
    if (value) filters.set(name, value);
    else filters.delete(name);
  }
  const query = filters.toString();
  return query ? `${location.pathname}?${query}` : location.pathname;
}

/** The account of a user, beside the list with its filters. */
export const toAccount = (userId: string | null) => `/admin/accounts${userId ? `/${userId}` : ""}${location.search}`;

export function followPlaces(): void {
  addEventListener("popstate", () => (place.value = read()));
  followClicks((href) => /^\/admin(\/|\?|$)/.test(href), go);
}
