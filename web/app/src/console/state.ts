// Who uses the console, and pages of its lists.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { codeOf, heddle, request, signedIn } from "../api";
import type { ResultOf } from "../graphql";
import { ConsoleQuery } from "./operations";
import { place } from "./place";

/** The roles on the server, from the least to the most rights. */
export const ROLES = ["MEMBER", "MODERATOR", "AUDITOR", "ADMIN"] as const;
export type Role = (typeof ROLES)[number];
/** The rows of a page of a list. */
export const PAGE = 50;
type Start = ResultOf<typeof ConsoleQuery>;
export type Me = NonNullable<Start["viewer"]>;

export const me = signal<Me | null>(null);
export const server = signal<Start["server"] | null>(null);
export const startError = signal<unknown>(null);

export const isAdmin = () => me.value?.role === "ADMIN";
export const readsAudit = () => me.value?.role === "ADMIN" || me.value?.role === "AUDITOR";
/** Whether the viewer may suspend an account with this role. */
export const mayModerate = (role: Role) => isAdmin() || (me.value?.role === "MODERATOR" && role === "MEMBER");

export async function load(): Promise<void> {
  startError.value = null;
  try {
    const { viewer, server: loaded } = await request(ConsoleQuery);
    server.value = loaded;
    me.value = viewer;
    if (!viewer) leave();
  } catch (error) {
    if (codeOf(error) === "UNAUTHENTICATED") leave();
    else startError.value = error;
  }
}

/** The session has ended. */
function leave(): void {
  heddle.store.set(null);
  signedIn.value = false;
}

export interface PageOf<Row> {
  nodes: Row[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

interface Listing<Row> {
  page: PageOf<Row> | null;
  error: unknown;
  reload: () => void;
  replace: (matches: (row: Row) => boolean, row: Row) => void;
}

/** Loads the page of a list that the address names, and again when its filters change. */
export function useList<Row>(key: string, read: (after: string | null) => Promise<PageOf<Row> | null | undefined>): Listing<Row> {
  const [state, setState] = useState<{ page: PageOf<Row> | null; error: unknown }>({ page: null, error: null });
  const [turn, setTurn] = useState(0);
  const after = place.value.filters.get("after");
  useEffect(() => {
    let isCurrent = true;
    const show = (page: PageOf<Row> | null, error: unknown) => { if (isCurrent) setState({ page, error }); };
    read(after).then((page) => show(page ?? { nodes: [], pageInfo: { hasNextPage: false, endCursor: null } }, null), (error) => show(null, error));
    return () => { isCurrent = false; };
  }, [key, after, turn]);
  return {
    ...state,
    reload: () => setTurn((now) => now + 1),
    replace: (matches, row) => setState(({ page, error }) => ({ page: page && { ...page, nodes: page.nodes.map((old) => (matches(old) ? row : old)) }, error })),
  };
}
