// A picture of the loaded data in this browser, for starts without a connection. It belongs to the signed-in user, and
// ends with the session.
import {
  blockedIds, conversationIds, conversations, messages, threads, unread, users, viewerId, type Conversation, type Message, type Thread,
  type Unread, type User,
} from "./data";
import { read, write } from "./storage";
import { changeCount } from "./table";
import { loadedReplies, replies } from "./thread";
import { timeline, timelines, type Window } from "./timeline";

/** Messages of one conversation, and replies of one thread, that the picture has at most. */
const MOST = 200;
/** People that the picture has at most. */
const MOST_USERS = 2_000;
/** How often it is taken while data changes, in milliseconds. */
const INTERVAL = 5_000;

interface Picture {
  viewerId: string;
  conversationIds: string[];
  blockedIds?: readonly string[];
  unread: Unread;
  users: User[];
  conversations: Conversation[];
  messages: Message[];
  threads: Thread[];
  windows: [string, Window][];
  replies: [string, string[]][];
}

/** The newest part of a window. */
function part({ entries, hasOlder, hasNewer }: Window): Window {
  return { entries: entries.slice(-MOST), hasOlder: hasOlder || entries.length > MOST, hasNewer };
}

function take(id: string): Picture {
  const windows = [...timelines].flatMap(([of, { window }]): [string, Window][] => {
    const now = window.peek();
    return now ? [[of, part(now)]] : [];
  });
  const lists = loadedReplies().map(([rootId, ids]): [string, string[]] => [rootId, ids.slice(0, MOST)]);
  const shown = new Set([...windows.flatMap(([, { entries }]) => entries.map((entry) => entry.id)), ...lists.flat(2)]);
  const rows = messages.all().filter((row) => shown.has(row.id));
  return {
    viewerId: id,
    conversationIds: conversationIds.peek(),
    blockedIds: blockedIds.peek(),
    unread: unread.peek(),
    users: users.all().slice(-MOST_USERS),
    conversations: conversations.all(),
    messages: rows,
    threads: threads.all().filter(({ rootId }) => shown.has(rootId)),
    windows,
    replies: lists,
  };
}

let takenAt = 0;
let timer: ReturnType<typeof setInterval> | undefined;

async function save(): Promise<void> {
  const id = viewerId.peek();
  if (!id || changeCount() === takenAt) return;
  takenAt = changeCount();
  const picture = take(id);
  await write("pictures", (rows) => rows.put(picture, "last"));
}

const hidden = () => {
  if (document.visibilityState === "hidden") void save();
};

/** Takes pictures from now on. */
export function keepPicture(): void {
  if (timer || typeof document === "undefined") return;
  timer = setInterval(() => void save(), INTERVAL);
  document.addEventListener("visibilitychange", hidden);
}

/** Ends it, and deletes the picture: the session has ended. */
export function dropPicture(): void {
  clearInterval(timer);
  timer = undefined;
  if (typeof document !== "undefined") document.removeEventListener("visibilitychange", hidden);
  void write("pictures", (rows) => rows.clear());
}

/** Shows what an earlier page has kept. Returns whether there was something. */
export async function showPicture(): Promise<boolean> {
  const picture = await read<Picture>("pictures", (rows) => rows.get("last"));
  if (!picture) return false;
  picture.users.forEach((row) => users.put(row));
  picture.conversations.forEach((row) => conversations.put(row));
  picture.messages.forEach((row) => messages.put(row));
  picture.threads.forEach((row) => threads.put(row));
  for (const [id, window] of picture.windows) timeline(id).window.value = window;
  for (const [rootId, ids] of picture.replies) replies(rootId).ids.value = ids;
  conversationIds.value = picture.conversationIds;
  blockedIds.value = picture.blockedIds ?? [];
  unread.value = picture.unread;
  viewerId.value = picture.viewerId;
  return true;
}
