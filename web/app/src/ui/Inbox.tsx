// Notifications, and the threads that the viewer follows.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { request } from "../api";
import { now as clockNow } from "../clock";
import { dye, firstName, full, when } from "../format";
import { DismissNotifications, MarkNotificationsRead, NotificationsQuery, ThreadsQuery } from "../operations";
import { navigate, route, toConversation, toMessage, toThread } from "../route";
import { conversations, messages, notifications, putMessage, putNotification, putThread, setUnread, threads, unread, type Notification } from "../store/data";
import { lastArrival, notificationIds } from "../store/events";
import { t } from "../text";
import { Body } from "./Message";
import { Badge, explain, Face, Failed, Icon, IconButton, nameOf, otherPerson, Panel, PanelTitle, say, Skeleton } from "./parts";
import { ConnectionBar } from "./Room";

const next = signal<string | null>(null);
const failed = signal<unknown>(null);

async function load(after: string | null): Promise<void> {
  failed.value = null;
  try {
    const { viewer } = await request(NotificationsQuery, { after, unreadOnly: false });
    if (!viewer) return;
    setUnread(viewer.unread);
    const ids = viewer.notifications.nodes.map(putNotification);
    notificationIds.value = after ? [...new Set([...(notificationIds.peek() ?? []), ...ids])] : ids;
    next.value = viewer.notifications.pageInfo.hasNextPage ? viewer.notifications.pageInfo.endCursor : null;
  } catch (error) {
    failed.value = error;
  }
}

/** How long an action can be taken back before it is sent. */
const GRACE = 6_000;

/** Shows a change at once, and sends it after the time for Undo. Leaving the page sends it immediately. */
function withUndo(text: string, show: () => () => void, commit: () => Promise<unknown>): void {
  const hide = show();
  let isOpen = true;
  const finish = async () => {
    if (!isOpen) return;
    isOpen = false;
    clearTimeout(timer);
    removeEventListener("pagehide", finish);
    try {
      await commit();
    } catch (error) {
      say(explain(error));
    } finally {
      hide();
    }
  };
  const timer = setTimeout(finish, GRACE);
  addEventListener("pagehide", finish);
  say(text, () => {
    if (!isOpen) return;
    isOpen = false;
    clearTimeout(timer);
    removeEventListener("pagehide", finish);
    hide();
  });
}

/** Notifications that are dismissed and can still come back. */
const dismissed = signal<ReadonlySet<string>>(new Set());

function dismiss(id: string): void {
  withUndo(
    t.dismissed,
    () => {
      dismissed.value = new Set(dismissed.peek()).add(id);
      return () => {
        const rest = new Set(dismissed.peek());
        rest.delete(id);
        dismissed.value = rest;
      };
    },
    async () => {
      const { dismissNotifications: done } = await request(DismissNotifications, { input: { notifications: { ids: [id] } } });
      setUnread(done?.unread);
      notificationIds.value = notificationIds.peek()?.filter((other) => other !== id) ?? null;
    },
  );
}

async function markRead(ids: string[]): Promise<void> {
  const now = new Date(clockNow()).toISOString();
  const shown = ids.map((id) => notifications.change(id, { readAt: now }));
  try {
    const { markNotificationsRead: done } = await request(MarkNotificationsRead, { input: { notifications: { ids } } });
    setUnread(done?.unread);
    for (const id of ids) notifications.patch({ id, readAt: now });
  } catch {
    // They stay unread.
  } finally {
    for (const change of shown) change.drop();
  }
}

function markAll(): void {
  const rows = (notificationIds.peek() ?? []).flatMap((id) => notifications.peek(id) ?? []).filter(({ readAt }) => !readAt);
  const newest = rows.map(({ createdAt }) => createdAt).sort().at(-1);
  if (!newest) return;
  const before = unread.peek();
  withUndo(
    t.markedRead(before.notifications),
    () => {
      const shown = rows.map(({ id }) => notifications.change(id, { readAt: newest }));
      unread.value = { ...before, notifications: 0 };
      return () => shown.forEach((change) => change.drop());
    },
    async () => {
      const { markNotificationsRead: done } = await request(MarkNotificationsRead, { input: { notifications: { until: newest } } });
      setUnread(done?.unread);
      for (const { id } of rows) notifications.patch({ id, readAt: newest });
    },
  );
}

type Tab = "all" | "unread" | "mentions";

function Item({ row }: { row: Notification }) {
  const message = row.messageId ? messages.get(row.messageId) : undefined;
  const isUnread = !row.readAt;
  const open = () => {
    if (isUnread) void markRead([row.id]);
    if (!row.conversationId) return;
    if (message?.parentId && message.threadId) navigate(toThread(message.threadId, message.id));
    else navigate(message ? toMessage(row.conversationId, message.id) : toConversation(row.conversationId));
  };
  return (
    <li class={`item ${isUnread ? "is-unread" : "is-read"}`}>
      <Face id={row.actorId} />
      <div>
        <p class="what"><button type="button" class="item-link" onClick={open}>{t.notification(row.type, <b><bdi>{nameOf(row.actorId)}</bdi></b>)}</button></p>
        {message && !message.deletedAt && <div class="quote" dir="auto"><Body message={message} /></div>}
      </div>
      <div class="item-end">
        <span class="item-actions">
          {isUnread && <IconButton icon="check" label={t.markRead} onClick={() => void markRead([row.id])} />}
          <IconButton icon="x" label={t.dismiss} onClick={() => dismiss(row.id)} />
        </span>
        <time class="small muted num" dateTime={row.createdAt} title={full(row.createdAt)}>{when(row.createdAt)}</time>
        {isUnread ? <><i class="dot" /><span class="hidden-text">{t.unread}</span></> : <i class="no-dot" />}
      </div>
    </li>
  );
}

export function Inbox() {
  const [tab, setTab] = useState<Tab>("all");
  const ids = notificationIds.value;
  useEffect(() => { document.title = `${t.inbox} · Heddle`; }, []);
  useEffect(() => { if (ids === null) void load(null); }, [ids]);
  const rows = (ids ?? []).filter((id) => !dismissed.value.has(id)).flatMap((id) => notifications.get(id) ?? []);
  const shown = rows.filter((row) => (tab === "all" ? true : tab === "unread" ? !row.readAt : row.type === "MENTION"));
  const groups = group(shown);
  const mentions = rows.filter((row) => row.type === "MENTION" && !row.readAt).length;
  const tabs: [Tab, string, number, boolean][] = [["all", t.all, 0, false], ["unread", t.unreadTab, unread.value.notifications, false], ["mentions", t.mentions, mentions, true]];
  return (
    <main class="room" id="main" tabIndex={-1}>
      <header class="bar">
        <IconButton class="back" icon="back" flip label={t.backToConversations} onClick={() => navigate("/")} />
        <div class="bar-text"><h1>{t.inbox}</h1></div>
        {unread.value.notifications > 0 && <div class="bar-actions"><button type="button" class="button quiet" onClick={markAll}><Icon name="check" /><span>{t.markAllRead}</span></button></div>}
      </header>
      <ConnectionBar />
      <div class="scroll">
        <div class="list-page column">
          <div class="tabs" role="group" aria-label={t.filter}>
            {tabs.map(([id, label, count, quiet]) => <button key={id} type="button" aria-current={tab === id ? "page" : undefined} onClick={() => setTab(id)}>{label} <Badge count={count} label={t.unreadCount(count)} quiet={quiet} /></button>)}
          </div>
          {failed.value && !ids ? <Failed error={failed.value} retry={() => void load(null)} /> : ids === null ? <Skeleton rows={5} lines /> : (
            <>
              {groups.map(([conversationId, list]) => {
                const row = conversationId ? conversations.get(conversationId) : undefined;
                const other = row && otherPerson(row);
                return (
                  <section key={conversationId ?? ""}>
                    <h2 class="group-title">{conversationId ? <Icon name="heddle" small class={`heddle ${dye(conversationId)}`} /> : <Icon name="bell" small />}<bdi>{row ? (other ? nameOf(other) : row.displayTitle) : t.formerConversation}</bdi></h2>
                    <ol>{list.map((item) => <Item key={item.id} row={item} />)}</ol>
                  </section>
                );
              })}
              {!shown.length && <p class="muted is-centred">{tab === "all" ? t.inboxEmpty : tab === "unread" ? t.inboxRead : t.noMentions}</p>}
              {next.value && tab === "all" && <button type="button" class="button quiet is-more" onClick={() => void load(next.peek())}>{t.showMore}</button>}
            </>
          )}
        </div>
      </div>
    </main>
  );
}

function group(rows: Notification[]): [string | null, Notification[]][] {
  const groups = new Map<string | null, Notification[]>();
  for (const row of rows) groups.set(row.conversationId, [...(groups.get(row.conversationId) ?? []), row]);
  return [...groups];
}

export function ThreadsPanel() {
  const [unreadOnly, setUnreadOnly] = useState(unread.peek().threads > 0);
  const [ids, setIds] = useState<string[] | null>(null);
  const [more, setMore] = useState<string | null>(null);
  const [lasts, setLasts] = useState<Map<string, string>>(new Map());
  const [problem, setProblem] = useState<unknown>(null);
  const load = (after: string | null) => {
    setProblem(null);
    request(ThreadsQuery, { after, unreadOnly }).then(({ viewer }) => {
      if (!viewer) return;
      const last = new Map(after ? lasts : []);
      const found = viewer.threads.nodes.map((thread) => {
        putMessage(thread.root);
        if (thread.lastReply) last.set(thread.id, putMessage(thread.lastReply).id);
        return putThread(thread);
      });
      setLasts(last);
      setIds(after ? [...(ids ?? []), ...found] : found);
      setMore(viewer.threads.pageInfo.hasNextPage ? viewer.threads.pageInfo.endCursor : null);
    }, setProblem);
  };
  // A new reply moves its thread to the top.
  const arrival = lastArrival.value;
  const reply = arrival && messages.peek(arrival.id)?.parentId ? arrival.id : null;
  useEffect(() => load(null), [unreadOnly, reply]);
  const now = route.value;
  return (
    <Panel label={t.threads}>
      <header class="bar">
        <IconButton class="back" icon="back" flip label={t.backToConversations} onClick={() => navigate("/")} />
        <div class="bar-text"><PanelTitle>{t.threads}</PanelTitle></div>
      </header>
      <div class="thread-tools">
        <div class="segmented" role="group" aria-label={t.filterThreads}>
          <button type="button" aria-pressed={unreadOnly} onClick={() => setUnreadOnly(true)}>{t.unreadThreadsTab(unread.value.threads)}</button>
          <button type="button" aria-pressed={!unreadOnly} onClick={() => setUnreadOnly(false)}>{t.following}</button>
        </div>
      </div>
      <div class="scroll">
        {problem && !ids ? <Failed error={problem} retry={() => load(null)} /> : ids === null ? <Skeleton rows={4} lines /> : (
          <ol>
            {ids.map((id) => {
              const thread = threads.get(id);
              const root = thread && messages.get(thread.rootId);
              if (!thread || !root) return null;
              const last = messages.get(lasts.get(id) ?? "");
              const row = conversations.get(thread.conversationId);
              const other = row && otherPerson(row);
              return (
                <li key={id} class={`message is-thread ${dye(root.senderId ?? id)}`} aria-current={now.page === "thread" && now.threadId === id ? "page" : undefined}>
                  <Face id={root.deletedAt ? null : root.senderId} />
                  <div>
                    <div class="byline"><h3 class="name clip"><a href={toThread(id)} class="is-plain"><bdi>{root.deletedAt ? t.messageDeleted : plain(root.body ?? "")}</bdi></a></h3></div>
                    <p class="small muted clip"><bdi>{row ? (other ? nameOf(other) : row.displayTitle) : ""}</bdi></p>
                    {last && <p class="text clip is-last"><span class="strong"><bdi>{firstName(nameOf(last.senderId))}</bdi>:</span> <bdi>{last.deletedAt ? t.messageDeleted : plain(last.body ?? "")}</bdi></p>}
                    <a class="replies" href={toThread(id)}>
                      <span class="faces" aria-hidden="true">{thread.participantIds.map((person) => <Face key={person} id={person} size={20} />)}</span>
                      <span class="count">{t.replyCount(thread.replyCount)}</span><span class="clip">{when(thread.lastActivityAt)}</span>
                      {thread.viewerUnreadCount > 0 && <span class="new"><i class="dot" />{t.newCount(thread.viewerUnreadCount)}</span>}
                    </a>
                  </div>
                  <span class="hang" aria-hidden="true" />
                </li>
              );
            })}
          </ol>
        )}
        {more && <button type="button" class="button quiet is-more" onClick={() => load(more)}>{t.showMore}</button>}
        {ids && !more && <p class="small muted is-centred">{unreadOnly ? t.noUnreadThreads : ids.length ? t.thatIsAll : t.noThreads}</p>}
      </div>
    </Panel>
  );
}

/** The first line of Markdown without its marks. */
const plain = (body: string) => body.split("\n")[0]!.replace(/[*_`~]+|^#+\s|^>\s?/g, "");
