// The viewer, the ways in, and all conversations.
import { computed, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { request } from "../api";
import { now as clockNow } from "../clock";
import { SetPresence } from "../operations";
import { phone } from "../preferences";
import { navigate, route, toConversation } from "../route";
import { conversations, putUser, sorted, threads, typing, unread, viewer, type Conversation } from "../store/data";
import { loaded, role, signOut } from "../store/session";
import { t } from "../text";
import { openNew, openPalette, openShortcuts } from "./overlays";
import { Badge, ConversationMark, Face, Icon, IconButton, Menu, nameOf, Skeleton, Typing, otherPerson, type Action } from "./parts";

/** The conversation that is open, also when a thread of it is. */
export const openConversation = computed(() => {
  const now = route.value;
  if (now.page === "room") return now.conversationId;
  return now.page === "thread" ? (threads.get(now.threadId)?.conversationId ?? null) : null;
});

const showArchived = signal(false);

function setPresence(status: "ONLINE" | "AWAY" | "BUSY") {
  void request(SetPresence, { input: { status } })
    .then(({ setPresence }) => setPresence?.user && putUser(setPresence.user))
    .catch(() => {});
}

function ViewerMenu() {
  const [open, setOpen] = useState(false);
  const me = viewer.value;
  if (!me) return <div class="viewer"><i class="skeleton is-line-1" /></div>;
  const actions: Action[] = [
    { icon: "check", presence: "ONLINE", label: t.online, run: () => setPresence("ONLINE") },
    { icon: "clock", presence: "AWAY", label: t.away, run: () => setPresence("AWAY") },
    { icon: "bell-off", presence: "BUSY", label: t.busy, run: () => setPresence("BUSY") },
    { icon: "sliders", label: t.settings, run: () => navigate("/settings") },
    ...(role.value !== "MEMBER" ? [{ icon: "shield", label: t.administration, run: () => location.assign("/admin") }] : []),
    { icon: "keyboard", label: t.shortcuts, run: openShortcuts, keys: "?" },
    { icon: "leave", label: t.signOut, run: () => void signOut() },
  ];
  return (
    <div class="viewer">
      <button type="button" class="viewer-menu" aria-expanded={open} aria-haspopup="menu" onClick={() => setOpen(!open)}>
        <Face id={me.id} size={28} presence />
        <span class="viewer-name clip"><bdi>{me.displayName}</bdi><span class="hidden-text">{t.accountMenu(t.presence(me.presence))}</span></span>
        <Icon name="down" small />
      </button>
      <IconButton icon="compose" label={t.newConversation} onClick={openNew} />
      {open && <Menu label={t.accountMenuLabel} actions={actions} close={() => setOpen(false)} />}
    </div>
  );
}

/** Whether a conversation is muted now. */
export const isMuted = (row: Conversation) => {
  const until = row.viewerMembership?.mutedUntil;
  return !!until && Date.parse(until) > clockNow();
};

function Row({ id }: { id: string }) {
  const row = conversations.get(id);
  if (!row) return null;
  const mine = row.viewerMembership;
  const muted = isMuted(row);
  const isUnread = !!mine?.unreadCount && !muted;
  const count = row.kind === "DIRECT" ? (mine?.unreadCount ?? 0) : (mine?.mentionCount ?? 0);
  const people = [...(typing.value.get(id)?.keys() ?? [])];
  const kind = `side-row${isUnread ? " is-unread" : ""}${muted ? " is-muted" : ""}`;
  const other = otherPerson(row);
  return (
    <li>
      <a class={kind} href={toConversation(id)} aria-current={openConversation.value === id ? "page" : undefined} data-conversation={id}>
        <ConversationMark id={id} />
        <span class="clip"><bdi>{other ? nameOf(other) : row.displayTitle}</bdi></span>
        {people.length > 0 && <Typing />}
        {muted && <><Icon name="bell-off" small /><span class="hidden-text">{t.muted}</span></>}
        {isUnread && !count && <span class="hidden-text">{t.unreadCount(mine.unreadCount)}</span>}
        {!muted && <Badge count={count} label={row.kind === "DIRECT" ? t.unreadCount(count) : t.mentionCount(count)} />}
      </a>
    </li>
  );
}

function Group({ title, rows }: { title: string; rows: Conversation[] }) {
  if (!rows.length) return null;
  return <><h2 class="side-title">{title}</h2><ul>{rows.map(({ id }) => <Row key={id} id={id} />)}</ul></>;
}

/** On a phone the list of conversations is a page of its own. */
const Frame = ({ children }: { children: ComponentChildren }) =>
  phone.value && route.value.page === "home"
    ? <main class="sidebar" id="main" tabIndex={-1}>{children}</main>
    : <nav class="sidebar" aria-label={t.conversations}>{children}</nav>;

export function Sidebar() {
  const { pinned, others, archived } = sorted.value;
  const now = route.value;
  const totals = unread.value;
  return (
    <Frame>
      {phone.value && <h1 class="hidden-text">{t.conversations}</h1>}
      <ViewerMenu />
      <div class="side-list">
        <button type="button" class="side-row" onClick={openPalette}><Icon name="search" /><span class="clip">{t.jump}</span><kbd>Ctrl K</kbd></button>
        <a class="side-row" href="/inbox" aria-current={now.page === "inbox" && !now.threads ? "page" : undefined}>
          <Icon name="inbox" /><span class="clip">{t.inbox}</span><Badge count={totals.notifications} label={t.unreadCount(totals.notifications)} />
        </a>
        <a class="side-row" href="/inbox#threads" aria-current={now.page === "inbox" && now.threads ? "page" : undefined}>
          <Icon name="tree" flip /><span class="clip">{t.threads}</span><Badge count={totals.threads} label={t.unreadThreads(totals.threads)} />
        </a>
      </div>
      <div class="side-list side-scroll scroll">
        {!loaded.value ? <Skeleton rows={8} /> : (
          <>
            <Group title={t.pinned} rows={pinned} />
            <Group title={t.conversations} rows={others} />
            {!pinned.length && !others.length && (
              <>
                <h2 class="side-title">{t.conversations}</h2>
                <p class="small muted side-empty">{t.nothingHere}</p>
                <button type="button" class="button side-start" onClick={openNew}><Icon name="plus" />{t.startConversation}</button>
              </>
            )}
            {archived.length > 0 && (
              <>
                <button type="button" class="side-title is-toggle" aria-expanded={showArchived.value} onClick={() => (showArchived.value = !showArchived.value)}>
                  {t.archived(archived.length)}<Icon name={showArchived.value ? "down" : "right"} small flip />
                </button>
                {showArchived.value && <ul>{archived.map(({ id }) => <Row key={id} id={id} />)}</ul>}
              </>
            )}
          </>
        )}
      </div>
    </Frame>
  );
}
