// The thread panel: any depth, in tree or time order, with branches that fold and one that can have the focus.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Fragment } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { request } from "../api";
import { clock, dye, firstName, full } from "../format";
import { FollowThread, UnfollowThread } from "../operations";
import { navigate, toConversation, toThread } from "../route";
import { conversations, isUnread, messages, putThread, threads, viewer, type Message } from "../store/data";
import { outbox, type Outgoing } from "../store/outbox";
import { open } from "../store/session";
import { loadMore, openEmpty, openThread, replies, tree, type Node } from "../store/thread";
import { t } from "../text";
import { Composer } from "./Composer";
import { markAllRepliesRead } from "./marks";
import { Body, copy, Edited, editing, Editor, FailedRow, longPress, quoteSelection, Tombstone, Toolbar, useActive, useReading } from "./Message";
import { Face, Failed, Icon, IconButton, nameOf, Panel, PanelTitle, say, Skeleton } from "./parts";

/** Levels with an indent of their own; deeper replies are linked by dots. */
const LEVELS = 6;
const PHONE_LEVELS = 3;

const order = signal<"tree" | "time">((localStorage.getItem("heddle order") as "tree" | "time" | null) ?? "tree");
const setOrder = (to: "tree" | "time") => {
  order.value = to;
  localStorage.setItem("heddle order", to);
};

/** Folded branches, the focused branch and the message that the composer answers, by root. */
const folded = signal<ReadonlySet<string>>(new Set());
const focused = signal<string | null>(null);
const target = signal<string | null>(null);

const toggle = (id: string) => {
  const next = new Set(folded.peek());
  if (!next.delete(id)) next.add(id);
  folded.value = next;
};

/** The thread of an address. */
export function ThreadPanel({ threadId, messageId }: { threadId: string; messageId: string | undefined }) {
  const thread = threads.get(threadId);
  const [failed, setFailed] = useState<unknown>(null);
  const load = () => {
    setFailed(null);
    openThread(threadId).then((rootId) => {
      if (rootId !== null) return;
      navigate("/", true);
      say(t.notFoundLead);
    }, setFailed);
  };
  useEffect(() => {
    load();
    open.reload = load;
    return () => { open.reload = () => {}; };
  }, [threadId]);
  const close = () => navigate(thread ? toConversation(thread.conversationId) : "/");
  if (failed && !thread) return <Shell close={close}><Failed error={failed} retry={load} /></Shell>;
  if (!thread || !messages.get(thread.rootId)) return <Shell close={close}><Skeleton rows={5} lines /></Shell>;
  return <Replies key={thread.rootId} rootId={thread.rootId} messageId={messageId} close={close} />;
}

/** A message that nobody has answered yet. Its thread gets an address with the first reply. */
export function ReplyPanel({ rootId, conversationId }: { rootId: string; conversationId: string }) {
  const root = messages.get(rootId);
  const threadId = root?.threadId;
  useEffect(() => {
    if (threadId) navigate(toThread(threadId), true);
    else openEmpty(rootId);
  }, [rootId, threadId]);
  const close = () => navigate(toConversation(conversationId));
  if (!root) return <Shell close={close}><Skeleton rows={3} lines /></Shell>;
  return <Replies key={rootId} rootId={rootId} messageId={undefined} close={close} />;
}

function Shell({ close, title, link, children, scrolled }: { close: () => void; title?: string; link?: string; children: ComponentChildren; scrolled?: boolean }) {
  return (
    <Panel label={t.thread}>
      <header class={scrolled ? "bar is-scrolled" : "bar"}>
        <IconButton class="back" icon="back" flip label={t.backToTimeline} onClick={close} />
        <div class="bar-text"><PanelTitle>{t.thread}</PanelTitle>{title && <span class="muted small clip"><bdi>{title}</bdi></span>}</div>
        <div class="bar-actions">
          {link && <IconButton icon="link" label={t.copyThreadLink} onClick={() => copy(location.origin + link, t.linkCopied)} />}
          <IconButton icon="x" class="wide-only" label={t.closeThread} onClick={close} />
        </div>
      </header>
      {children}
    </Panel>
  );
}

interface Shown {
  node: Node;
  message: Message;
  unread: Set<string>;
}

/** Whether a branch contains something unread, itself included. */
function unreadIn(node: Node, unread: Set<string>): number {
  let count = unread.has(node.id) ? 1 : 0;
  for (const child of node.children) count += unreadIn(child, unread);
  return count;
}

function Replies({ rootId, messageId, close }: { rootId: string; messageId: string | undefined; close: () => void }) {
  const list = replies(rootId);
  const root = messages.get(rootId)!;
  const thread = root.threadId ? threads.get(root.threadId) : undefined;
  const conversation = conversations.get(root.conversationId);
  const box = useRef<HTMLDivElement>(null);
  const [scrolled, setScrolled] = useState(false);
  const [below, setBelow] = useState(0);
  const placed = useRef("");
  const rootRef = useRef<HTMLDivElement>(null);
  useReading(rootRef, root);

  useEffect(() => {
    open.rootId = rootId;
    focused.value = null;
    target.value = null;
    return () => { open.rootId = null; };
  }, [rootId]);

  const ids = list.ids.value;
  const rows = (ids ?? []).flatMap((id) => messages.get(id) ?? []);
  const top = useMemo(() => tree(rootId, rows), [rows.length, ids]);
  const unread = new Set(rows.filter(isUnread).map(({ id }) => id));
  const pending = outbox.value.filter((row) => row.rootId === rootId && !(row.sentId && ids?.includes(row.sentId)));

  // A thread opens at the message of its address, or at the first unread reply.
  const ready = ids !== undefined;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !ready || placed.current === `${rootId} ${messageId ?? ""}`) return;
    placed.current = `${rootId} ${messageId ?? ""}`;
    const first = messageId ?? list.newFrom.peek();
    const row = first && element.querySelector<HTMLElement>(`[data-id="${first}"]`);
    if (row && (messageId || row.offsetTop > element.clientHeight)) {
      element.scrollTop = row.getBoundingClientRect().top - element.getBoundingClientRect().top - element.clientHeight * 0.35;
      if (messageId) row.focus({ preventScroll: true });
    }
  });

  const look = () => {
    const element = box.current;
    if (!element) return;
    setScrolled(element.scrollTop > 0);
    const end = element.getBoundingClientRect().bottom;
    let count = 0;
    for (const row of element.querySelectorAll<HTMLElement>(".is-unread[data-id]")) if (row.getBoundingClientRect().top > end - 16) count += 1;
    setBelow(count);
  };
  useLayoutEffect(look, [unread.size, rows.length, order.value, folded.value]);
  const toUnread = () => {
    const element = box.current!;
    const end = element.getBoundingClientRect().bottom;
    const next = [...element.querySelectorAll<HTMLElement>(".is-unread[data-id]")].find((row) => row.getBoundingClientRect().top > end - 16);
    if (next) element.scrollTop += next.getBoundingClientRect().top - element.getBoundingClientRect().top - element.clientHeight * 0.4;
  };

  // The viewer's own reply scrolls into view.
  const lastPending = pending.at(-1)?.id;
  useLayoutEffect(() => {
    if (lastPending) box.current?.querySelector(`[data-id="${lastPending}"]`)?.scrollIntoView({ block: "nearest" });
  }, [lastPending]);

  const follow = async () => {
    if (!thread) return;
    const shown = threads.change(thread.id, { viewerIsFollowing: !thread.viewerIsFollowing });
    try {
      const input = { threadId: thread.id };
      const changed = thread.viewerIsFollowing
        ? (await request(UnfollowThread, { input })).unfollowThread?.thread
        : (await request(FollowThread, { input })).followThread?.thread;
      if (changed) putThread(changed);
    } finally {
      shown.drop();
    }
  };

  const focusedNode = focused.value ? find(top, focused.value) : null;
  const visible = focusedNode ? [focusedNode] : top;
  const answers = target.value && rows.find(({ id }) => id === target.value) ? target.value : null;
  const canSend = conversation?.viewerMembership?.canSend !== false && root.viewerCanReply;
  const title = conversation?.displayTitle ?? "";

  return (
    <Shell close={close} title={title} scrolled={scrolled} {...(thread ? { link: toThread(thread.id) } : {})}>
      <div class="scroll" ref={box} onScroll={look}>
        <div class="thread-root" ref={rootRef} data-id={rootId}>
          <div class="root-grid">
            <Face id={root.deletedAt ? null : root.senderId} />
            <div>
              <div class="byline"><h2 class="name"><bdi>{nameOf(root.senderId)}</bdi></h2><time dateTime={root.createdAt} title={full(root.createdAt)}>{clock(root.createdAt)}</time><Edited message={root} /></div>
              {root.deletedAt ? <Tombstone /> : editing.value?.id === rootId && editing.value.place === "thread" ? <Editor message={root} /> : <Body message={root} />}
            </div>
          </div>
        </div>
        {thread && thread.replyCount > 0 && (
          <div class="thread-tools">
            <span class="grow"><span class="num">{t.replyCount(thread.replyCount)}</span>
              {thread.viewerUnreadCount > 0 && <> · <button type="button" class="unread-link" title={t.markAllRead} onClick={() => markAllRepliesRead(thread.id)}>{t.newCount(thread.viewerUnreadCount)}</button></>}</span>
            <div class="segmented" role="group" aria-label={t.order}>
              <button type="button" aria-pressed={order.value === "tree"} onClick={() => setOrder("tree")}><Icon name="tree" small flip />{t.tree}</button>
              <button type="button" aria-pressed={order.value === "time"} onClick={() => setOrder("time")}><Icon name="time" small flip />{t.time}</button>
            </div>
            <button type="button" class="follow" aria-pressed={thread.viewerIsFollowing} onClick={() => void follow()}><Icon name="bell" small /><span class="follow-text">{thread.viewerIsFollowing ? t.following : t.follow}</span></button>
          </div>
        )}
        {focusedNode && (
          <nav class="crumbs" aria-label={t.focusedBranch}>
            <Icon name="focus" small />&nbsp;
            <button type="button" class="link is-quiet" onClick={() => (focused.value = null)}>{t.allReplies}</button>
            <Icon name="right" small flip />
            <span class="clip grow" aria-current="true"><bdi>{nameOf(messages.get(focusedNode.id)?.senderId ?? null)}</bdi></span>
            <button type="button" class="link" onClick={() => (focused.value = null)}>{t.showAll}</button>
          </nav>
        )}
        {ids === undefined && list.failed.value ? <Failed error={list.failed.value} retry={() => void openThread(root.threadId!).catch(() => {})} /> : ids === undefined ? <Skeleton rows={4} lines /> : order.value === "tree" ? (
          <ol class="tree by-level" aria-label={t.replies}>
            {visible.map((node) => <Branch key={node.id} node={node} base={focusedNode ? focusedNode.depth - 1 : 0} unread={unread} highlighted={answers ?? messageId ?? null} pending={pending} />)}
            {pending.filter((row) => !rows.some(({ id }) => id === parentOf(row))).map((row) => <PendingReply key={row.id} row={row} depth={1} />)}
          </ol>
        ) : (
          <ol class="tree by-time" aria-label={t.repliesByTime}>
            {[...rows].sort((a, b) => a.sequence - b.sequence).filter(({ id }) => !focusedNode || find([focusedNode], id)).map((message) => (
              <Fragment key={message.id}>
                {message.id === list.newFrom.value && <li class="divider is-new"><span>{t.newLine}</span></li>}
                <TimeReply message={message} rootId={rootId} highlighted={message.id === (answers ?? messageId)} />
              </Fragment>
            ))}
            {pending.map((row) => <PendingReply key={row.id} row={row} depth={1} />)}
          </ol>
        )}
        {list.next.value && <button type="button" class="button quiet is-more" disabled={list.loading.value} onClick={() => void loadMore(rootId)}>{t.moreReplies}</button>}
        {ids?.length === 0 && !pending.length && <p class="small muted is-centred">{t.noReplies}</p>}
      </div>
      {below > 0 && <div class="pill-place"><button type="button" class="pill" onClick={toUnread}><Icon name="arrow-down" small />{t.unreadBelow(below)}</button></div>}
      {canSend && !(root.deletedAt && !thread) && (
        <Composer
          key={rootId} conversationId={root.conversationId} place={root.threadId ?? rootId} threadId={root.threadId} scope="thread"
          parentId={answers ?? rootId} rootId={rootId}
          label={answers ? t.replyTo(nameOf(messages.peek(answers)?.senderId ?? null)) : t.replyToThread} placeholder={t.replyPlaceholder}
          sent={() => (target.value = null)} escape={() => (answers ? (target.value = null) : close())}
          target={answers && (
            <div class="target"><Icon name="reply" small flip /><span class="clip">{t.replyToShort} <b><bdi>{nameOf(messages.peek(answers)?.senderId ?? null)}</bdi></b></span>
              <IconButton icon="x" label={t.replyToThreadInstead} onClick={() => (target.value = null)} /></div>
          )}
        />
      )}
    </Shell>
  );
}

const sent = (id: string | null) => outbox.peek().find((row) => row.id === id)?.sentId;
const parentOf = (row: Outgoing) => sent(row.parentId) ?? row.parentId;

function find(nodes: Node[], id: string): Node | null {
  for (const node of nodes) {
    const found = node.id === id ? node : find(node.children, id);
    if (found) return found;
  }
  return null;
}

/** The guide lines of a row: one per level above it that continues, the bend into it, and the start below it. */
function Lines({ node, base, unread, opens }: { node: Node; base: number; unread: Set<string>; opens: boolean }) {
  const depth = node.depth - base;
  const path: Node[] = [];
  for (let above = node.parent; above && above.depth > base; above = above.parent) path.unshift(above);
  const lines: ComponentChildren[] = [];
  const dyeOf = (id: string) => dye(messages.peek(id)?.senderId ?? id);
  const kind = (level: number, trail: boolean, id: string) => `g ${dyeOf(id)}${trail ? " is-trail" : ""}${level >= PHONE_LEVELS ? " is-deep" : ""}`;
  path.forEach((above, at) => {
    const level = at + 1;
    if (level >= LEVELS) return;
    const onPath = path[at + 1] ?? node;
    const later = above.children.slice(above.children.indexOf(onPath) + 1);
    const leads = later.some((child) => unreadIn(child, unread) > 0);
    if (onPath === node) {
      const isTrail = leads || unreadIn(node, unread) > 0;
      lines.push(<i key={`t${level}`} class={`${kind(level, isTrail, above.id)} to-face`} style={{ "--l": level }} />);
    }
    if (later.length) lines.push(<i key={`g${level}`} class={kind(level, leads, above.id)} style={{ "--l": level }} />);
  });
  const trail = node.children.some((child) => unreadIn(child, unread) > 0);
  const own = `${dyeOf(node.id)}${trail ? " is-trail" : ""}`;
  const parent = node.parent && depth > 1 ? node.parent : null;
  const into = parent ? `${dyeOf(parent.id)}${unreadIn(node, unread) ? " is-trail" : ""}` : "";
  return (
    <>
      {lines}
      {opens && (depth < LEVELS ? <i class={`g ${own} from-face${depth >= PHONE_LEVELS ? " is-deep" : ""}`} style={{ "--l": depth }} /> : <i class={`g is-chain ${own} from-face`} />)}
      {opens && depth >= PHONE_LEVELS && depth < LEVELS && <i class={`g is-chain is-phone ${own} from-face`} />}
      {depth > LEVELS ? <i class={`g is-chain to-top ${into}`} /> : depth > PHONE_LEVELS ? <i class={`g is-chain is-phone to-top ${into}`} /> : null}
    </>
  );
}

function Branch({ node, base, unread, highlighted, pending }: { node: Node; base: number; unread: Set<string>; highlighted: string | null; pending: Outgoing[] }) {
  const isFolded = folded.value.has(node.id) && node.children.length > 0;
  const message = messages.get(node.id);
  if (!message) return null;
  const depth = node.depth - base;
  const answers = pending.filter((row) => parentOf(row) === node.id);
  const opens = (node.children.length > 0 || answers.length > 0) && !isFolded;
  if (isFolded) {
    const news = unreadIn(node, unread);
    const trail = news ? " is-trail" : "";
    return (
      <li class={`reply${depth === 1 ? " is-top" : ""}`} style={{ "--d": depth }}>
        <Lines node={node} base={base} unread={unread} opens={false} />
        <span class={`knot ${dye(message.senderId ?? node.id)}${trail}`}><Icon name="plus" /></span>
        <button type="button" class="fold" aria-expanded={false} onClick={() => toggle(node.id)}>
          <span class="strong is-ink"><bdi>{nameOf(message.senderId)}</bdi></span><b>{t.replyCount(node.count)}</b>
          {news > 0 && <><span aria-hidden="true">·</span><span class="new">{t.newCount(news)}</span></>}
        </button>
      </li>
    );
  }
  return (
    <>
      <TreeReply node={node} depth={depth} base={base} message={message} unread={unread} opens={opens} highlighted={highlighted === node.id} />
      {node.children.map((child) => <Branch key={child.id} node={child} base={base} unread={unread} highlighted={highlighted} pending={pending} />)}
      {answers.map((row) => <PendingReply key={row.id} row={row} depth={depth + 1} above={message} />)}
    </>
  );
}

function ReplyText({ message }: { message: Message }) {
  if (message.deletedAt) return <Tombstone />;
  return editing.value?.id === message.id && editing.value.place === "thread" ? <Editor message={message} /> : <Body message={message} />;
}

/** Makes the composer answer a reply. */
export const answer = (message: Message) => () => {
  quoteSelection(message.id);
  target.value = message.id;
};

function TreeReply({ node, depth, base, message, unread, opens, highlighted }: Shown & { depth: number; base: number; opens: boolean; highlighted: boolean }) {
  const ref = useRef<HTMLLIElement>(null);
  const { active, handlers } = useActive();
  useReading(ref, message);
  const name = nameOf(message.senderId);
  const parent = node.parent && messages.get(node.parent.id);
  const kind = `reply${depth === 1 ? " is-top" : ""}${unread.has(node.id) ? " is-unread" : ""}${highlighted ? " is-target" : ""}`;
  return (
    <li ref={ref} class={kind} style={{ "--d": depth }} tabIndex={-1} data-id={node.id} {...handlers} onContextMenu={longPress(node.id, "thread")}>
      <Lines node={node} base={base} unread={unread} opens={opens} />
      {opens && <button type="button" class="g-hit" aria-label={t.collapse(name)} title={t.collapse(name)} tabIndex={active ? 0 : -1} onClick={() => toggle(node.id)} />}
      <Face id={message.deletedAt ? null : message.senderId} size={24} />
      <div>
        <div class="byline">
          <h3 class="name clip"><bdi>{name}</bdi></h3>
          {parent && depth > PHONE_LEVELS && (
            <button type="button" class={`in-reply clip${depth > LEVELS ? "" : " phone-only"}`} onClick={() => show(parent.id)}>{t.inReplyTo(firstName(nameOf(parent.senderId)))}</button>
          )}
          <time dateTime={message.createdAt} title={full(message.createdAt)}>{clock(message.createdAt)}</time>
          <Edited message={message} />
          <span class="hidden-text">{t.level(depth, parent ? nameOf(parent.senderId) : null, unread.has(node.id))}</span>
        </div>
        <ReplyText message={message} />
      </div>
      {active && !message.deletedAt && editing.value?.id !== message.id && (
        <ReplyToolbar message={message} branch={node.children.length > 0 ? node.id : null} />
      )}
    </li>
  );
}

/** A reply's actions; a branch can also get the focus. */
function ReplyToolbar({ message, branch }: { message: Message; branch: string | null }) {
  return (
    <div class="reply-tools">
      {branch && focused.value !== branch && <IconButton icon="focus" label={t.focusBranch} onClick={() => (focused.value = branch)} />}
      <Toolbar message={message} place="thread" reply={answer(message)} />
    </div>
  );
}

/** Scrolls to a reply and gives it the focus. */
function show(id: string): void {
  const row = document.querySelector<HTMLElement>(`.panel [data-id="${id}"]`);
  row?.scrollIntoView({ block: "center" });
  row?.focus({ preventScroll: true });
}

function TimeReply({ message, rootId, highlighted }: { message: Message; rootId: string; highlighted: boolean }) {
  const ref = useRef<HTMLLIElement>(null);
  const { active, handlers } = useActive();
  useReading(ref, message);
  const parent = message.parentId && message.parentId !== rootId ? messages.get(message.parentId) : undefined;
  const kind = `reply${isUnread(message) ? " is-unread" : ""}${highlighted ? " is-target" : ""}`;
  return (
    <li ref={ref} class={kind} style={{ "--d": 1 }} tabIndex={-1} data-id={message.id} {...handlers} onContextMenu={longPress(message.id, "thread")}>
      <Face id={message.deletedAt ? null : message.senderId} size={24} />
      <div>
        <div class="byline"><h3 class="name clip"><bdi>{nameOf(message.senderId)}</bdi></h3><time dateTime={message.createdAt} title={full(message.createdAt)}>{clock(message.createdAt)}</time><Edited message={message} /></div>
        {parent && (
          <button type="button" class={`parent clip ${dye(parent.senderId ?? parent.id)}`} onClick={() => show(parent.id)}>
            <span class="hidden-text">{t.inReplyTo("")} </span>{firstName(nameOf(parent.senderId))}: <bdi>{parent.deletedAt ? t.messageDeleted : parent.body}</bdi>
          </button>
        )}
        <ReplyText message={message} />
      </div>
      {active && !message.deletedAt && editing.value?.id !== message.id && <ReplyToolbar message={message} branch={null} />}
    </li>
  );
}

function PendingReply({ row, depth, above }: { row: Outgoing; depth: number; above?: Message }) {
  const failed = row.state === "failed";
  const level = Math.min(depth - 1, LEVELS);
  return (
    <li class={`reply ${failed ? "is-failed" : "is-pending"}${depth === 1 ? " is-top" : ""}`} style={{ "--d": depth }} data-id={row.id}>
      {above && level > 0 && level < LEVELS && <i class={`g to-face ${dye(above.senderId ?? above.id)}`} style={{ "--l": level }} />}
      <Face id={viewer.value?.id ?? null} size={24} />
      <div>
        <div class="byline"><h3 class="name clip"><bdi>{viewer.value?.displayName}</bdi></h3><time>{clock(row.at)}</time>{!failed && <span class="sending">{t.sending}</span>}</div>
        <p class="text is-plain" dir="auto">{row.body}</p>
        {failed && <FailedRow row={row} />}
      </div>
    </li>
  );
}
