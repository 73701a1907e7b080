// Loads the viewer's data, keeps it live, and knows the state of the connection.
import { effect, signal } from "@preact/signals";

import { codeOf, heddle, HeddleError, request, signedIn } from "../api";
import { setClock } from "../clock";
import { textOf, type ResultOf } from "../graphql";
import { EphemeralFields, EventFields, ServerQuery, StartQuery, UnreadQuery } from "../operations";
import { loadBlocked } from "./blocks";
import { addConversation, conversationIds, forget, putConversation, putUser, setUnread, viewerId } from "./data";
import { route } from "../route";
import { checkShell } from "../shell";
import { apply, notificationIds, type Event } from "./events";
import { confirmed, confirmLoaded, outbox, restore } from "./outbox";
import { dropPicture, keepPicture, showPicture } from "./picture";
import { sweep } from "./sweep";
import { forgetThreads } from "./thread";
import { reloadWindows, requestEarly, settleEarly, timelines } from "./timeline";

/** The connection, as the bar above the timeline shows it. */
export const connection = signal<"live" | "connecting" | "waiting" | "ended">("connecting");
/** When the connection was lost, in milliseconds; null while it works. */
export const lostAt = signal<number | null>(null);
export const online = signal(true);
/** Why the first load failed; null while it runs or after it succeeded. */
export const startFailed = signal<unknown>(null);
export const loaded = signal(false);
/** The session ended without the viewer's doing. */
export const sessionEnded = signal(false);

/** The viewer's role on the server. */
export const role = signal<NonNullable<ResultOf<typeof StartQuery>["viewer"]>["role"]>("MEMBER");

type Server = ResultOf<typeof ServerQuery>["server"];
export const server = signal<Server | null>(null);
/** What is open now, so that a reload keeps it in place. */
export const open = { conversationId: null as string | null, anchorId: undefined as string | undefined, rootId: null as string | null, reload: () => {} };

interface Stream {
  readonly cursor: string | null;
  close(): void;
}

let stream: Stream | null = null;
/** Typing and presence, which nothing replays. */
let ephemeral: Stream | null = null;
const EPHEMERAL = ["TYPING", "PRESENCE"];
const LASTING = ["CONVERSATIONS", "MESSAGES", "NOTIFICATIONS", "READ_POSITIONS", "THREADS", "USERS"];

/** Loads the name and the rules of the server, for the page of a signed-out user. */
export async function loadServer(): Promise<void> {
  server.value = (await request(ServerQuery)).server;
  setClock(server.value.now);
}

/** The page shows what an earlier one has kept, because the server does not answer. */
let isKept = false;
let startingAgain: ReturnType<typeof setTimeout> | undefined;

export async function start(): Promise<void> {
  stop();
  startFailed.value = null;
  const now = route.peek();
  if (now.page === "room" && !loaded.peek()) requestEarly(now.conversationId, now.messageId);
  try {
    const cursor = await loadAll();
    settleEarly(cursor);
    loaded.value = true;
    void restore();
    listen(cursor);
    keepPicture();
    if (isKept) await refresh();
    isKept = false;
  } catch (error) {
    if (codeOf(error) === "UNAUTHENTICATED") await endSession();
    else if (codeOf(error) === "SECOND_FACTOR_REQUIRED") startFailed.value = error;
    else await startKept(error);
  }
}

/** Shows the data that an earlier page has kept, and tries again until the server answers. */
async function startKept(error: unknown): Promise<void> {
  isKept ||= !loaded.peek() && signedIn.peek() && (await showPicture());
  if (!isKept) {
    startFailed.value = error;
    return;
  }
  connection.value = "waiting";
  lostAt.value ??= 0;
  if (!loaded.peek()) {
    loaded.value = true;
    void restore();
  }
  startingAgain = setTimeout(() => void start(), RELOAD_DELAY);
}

/** The server has ended the session. The page asks to sign in again; drafts stay. */
async function endSession(): Promise<void> {
  sessionEnded.value = signedIn.peek();
  heddle.store.set(null);
  signedIn.value = false;
}

async function loadAll(): Promise<string | null> {
  const first = await request(StartQuery, { after: null });
  server.value = first.server;
  setClock(first.server.now);
  if (!first.viewer) throw new HeddleError("UNAUTHENTICATED", "The session has ended.");
  viewerId.value = putUser(first.viewer.user);
  role.value = first.viewer.role;
  setUnread(first.viewer.unread);
  let page = first.viewer.conversations;
  const ids = page.nodes.map(putConversation);
  conversationIds.value = ids;
  loadBlocked().catch(() => {});
  void (async () => {
    while (page.pageInfo.hasNextPage) {
      const next = await request(StartQuery, { after: page.pageInfo.endCursor });
      if (!next.viewer) return;
      page = next.viewer.conversations;
      for (const node of page.nodes) addConversation(putConversation(node));
    }
  })().catch(() => {});
  return first.eventCursor;
}

function listen(after: string | null): void {
  stream = heddle.listen({
    after,
    filter: { categories: LASTING },
    select: "...EventFields",
    fragments: textOf(EventFields),
    event: (event) => {
      apply(event as unknown as Event);
      if (event.__typename === "MessageSentEvent") confirmed(event["message"].clientMessageId);
      if (countsChange.has(event.__typename)) refreshUnread();
      sweep(open.rootId);
    },
    reset: () => void reload(),
    state: (state) => {
      connection.value = state;
      if (state === "live") {
        // An update restarts the server, and so every connection.
        if (lostAt.peek() !== null) checkShell();
        lostAt.value = null;
      } else lostAt.value ??= Date.now();
    },
    ended: (error) => {
      if (error.code === "UNAUTHENTICATED") void endSession();
    },
  });
  ephemeral = heddle.listen({
    filter: { categories: EPHEMERAL },
    select: "...EphemeralFields",
    fragments: textOf(EphemeralFields),
    event: (event) => apply(event as unknown as Event),
    ended: () => {},
  });
}

/** Connects now instead of after the delay. */
export function reconnect(): void {
  if (isKept) return void start();
  const cursor = stream?.cursor ?? null;
  stop();
  listen(cursor);
}

// The totals of an earlier response may already contain a notification that is added later.
const countsChange = new Set([
  "MessageSentEvent", "MessageDeletedEvent", "ReadPositionChangedEvent", "ThreadChangedEvent", "ConversationLeftEvent",
  "NotificationAddedEvent", "NotificationsChangedEvent",
]);
let refreshing: ReturnType<typeof setTimeout> | undefined;

/** Loads the totals, at most twice a second: no event carries them when a message is sent. */
export function refreshUnread(): void {
  refreshing ??= setTimeout(async () => {
    refreshing = undefined;
    const { viewer } = await request(UnreadQuery).catch(() => ({ viewer: null }));
    setUnread(viewer?.unread);
  }, 500);
}

/** The delay before a reload that failed is tried again. */
const RELOAD_DELAY = 5_000;

/** Events were missed: loads everything again in the background, and keeps what is open in place. */
async function reload(): Promise<void> {
  try {
    await loadAll();
  } catch {
    if (stream) setTimeout(reload, RELOAD_DELAY);
    return;
  }
  await refresh();
}

/** Loads again what is open, and forgets what is not. */
async function refresh(): Promise<void> {
  notificationIds.value = null;
  forgetThreads(open.rootId);
  await reloadWindows(open.conversationId, open.anchorId);
  open.reload();
  confirmLoaded();
}

/** Stops the live updates. */
export function stop(): void {
  clearTimeout(startingAgain);
  stream?.close();
  ephemeral?.close();
  stream = ephemeral = null;
}

/** Ends the session in all tabs. */
export async function signOut(): Promise<void> {
  stop();
  await heddle.signOut();
}

/** Starts when a user signs in, and clears the data when they sign out. */
export function follow(): void {
  online.value = navigator.onLine;
  addEventListener("online", () => {
    online.value = true;
    if (signedIn.peek() && connection.peek() !== "live") reconnect();
  });
  addEventListener("offline", () => (online.value = false));
  effect(() => {
    if (signedIn.value) {
      sessionEnded.value = false;
      void start();
    } else {
      stop();
      dropPicture();
      isKept = false;
      loaded.value = false;
      timelines.clear();
      forgetThreads(null);
      notificationIds.value = null;
      outbox.value = [];
      forget();
      void loadServer().catch(() => {});
    }
  });
}
