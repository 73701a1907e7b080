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
import { inOrder, loadMore, news, openEmpty, openThread, replies, tree, type News, type Node } from "../store/thread";
import { t } from "../text";
import { Composer } from "./Composer";
import { markAllRepliesRead } from "./marks";
import { Body, Edited, editing, Editor, FailedRow, longPress, quoteSelection, Tombstone, Toolbar, useActive, useReading } from "./Message";
import { copy, Face, Failed, Icon, IconButton, nameOf, Panel, PanelTitle, say, Skeleton } from "./parts";
import { useSlice } from "./slice";

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
  unread: Map<string, News>;
}

/** Brings a reply into the page, and calls the function with its row. The open thread sets it. */
let reveal: (id: string, done: (row: HTMLElement) => void) => void = () => {};

/** An answer that is not sent, and what it answers. */
interface Waiting {
  row: Outgoing;
  parent: Node;
}
const NONE: Waiting[] = [];

/** The nearest distance to the end of what is loaded at which the next page loads, in pixels. */
const AHEAD = 1_200;

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
  const branches = news(top, unread);
  const isTree = order.value === "tree";
  const focusedNode = focused.value ? find(top, focused.value) : null;
  const nodes = useMemo(() => {
    const visible = focusedNode ? [focusedNode] : top;
    const byTree = inOrder(visible, isTree ? folded.value : new Set());
    return new Map(byTree.map((node) => [node.id, node]));
  }, [top, focusedNode, folded.value, isTree]);
  const flat = useMemo(() => {
    const byTree = [...nodes.keys()];
    return isTree ? byTree : byTree.sort((a, b) => (messages.peek(a)?.sequence ?? 0) - (messages.peek(b)?.sequence ?? 0));
  }, [nodes, isTree]);
  const slice = useSlice(box, flat);
  reveal = slice.reveal;
  const pending = outbox.value.filter((row) => row.rootId === rootId && !(row.sentId && ids?.includes(row.sentId)));

  // A thread opens at the message of its address, or at the first unread reply.
  const ready = ids !== undefined;
  // The reply of the address may be on a later page.
  const hasTarget = !messageId || messageId === rootId || !!ids?.includes(messageId);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !ready || (!hasTarget && list.next.peek()) || placed.current === `${rootId} ${messageId ?? ""}`) return;
    placed.current = `${rootId} ${messageId ?? ""}`;
    const first = messageId ?? list.newFrom.peek();
    if (!first) return;
    slice.reveal(first, (row) => {
      if (!messageId && row.offsetTop <= element.clientHeight) return;
      element.scrollTop += row.getBoundingClientRect().top - element.getBoundingClientRect().top - element.clientHeight * 0.35;
      if (messageId) row.focus({ preventScroll: true });
    });
  });
  useEffect(() => {
    if (hasTarget || !ids || !list.next.peek()) return;
    void loadMore(rootId).catch(() => {});
  }, [hasTarget, ids?.length]);

  const look = () => {
    const element = box.current;
    if (!element) return;
    setScrolled(element.scrollTop > 0);
    const last = slice.follow();
    setBelow(unread.size ? flat.slice(last + 1).filter((id) => unread.has(id)).length : 0);
    const rest = element.scrollHeight - element.scrollTop - element.clientHeight;
    if (rest < AHEAD && list.next.peek()) void loadMore(rootId).catch(() => {});
  };
  useLayoutEffect(look, [unread.size, flat]);
  const toUnread = () => {
    const element = box.current!;
    const last = slice.follow();
    const next = flat.slice(last + 1).find((id) => unread.has(id));
    if (next) slice.reveal(next, (row) => { element.scrollTop += row.getBoundingClientRect().top - element.getBoundingClientRect().top - element.clientHeight * 0.4; });
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

  // A pending answer is the last row of the branch that it belongs to.
  const waiting = new Map<string, Waiting[]>();
  for (const row of isTree ? pending : []) {
    const parent = nodes.get(parentOf(row) ?? "");
    if (!parent) continue;
    let at = flat.indexOf(parent.id);
    while (at + 1 < flat.length && nodes.get(flat[at + 1]!)!.depth > parent.depth) at += 1;
    waiting.set(flat[at]!, [...(waiting.get(flat[at]!) ?? []), { row, parent }]);
  }
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
        {ids === undefined && list.failed.value ? <Failed error={list.failed.value} retry={() => void openThread(root.threadId!).catch(() => {})} /> : ids === undefined ? <Skeleton rows={4} lines /> : (
          <div data-rows style={{ paddingBlock: `${slice.above}px ${slice.below}px` }}><ol class={isTree ? "tree by-level" : "tree by-time"} aria-label={isTree ? t.replies : t.repliesByTime}>
            {slice.shown.map((id) => {
              const message = messages.get(id);
              if (!message) return null;
              if (!isTree) {
                return (
                  <Fragment key={id}>
                    {id === list.newFrom.value && <li class="divider is-new"><span>{t.newLine}</span></li>}
                    <TimeReply message={message} rootId={rootId} highlighted={id === (answers ?? messageId)} />
                  </Fragment>
                );
              }
              return <Row key={id} node={nodes.get(id)!} message={message} base={focusedNode ? focusedNode.depth - 1 : 0} unread={branches} highlighted={id === (answers ?? messageId)} ends={waiting.get(id) ?? NONE} hasAnswers={pending.some((row) => parentOf(row) === id)} />;
            })}
            {pending.filter((row) => !isTree || !rows.some(({ id }) => id === parentOf(row))).map((row) => <PendingReply key={row.id} row={row} depth={1} />)}
          </ol></div>
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
function Lines({ node, base, unread, opens }: { node: Node; base: number; unread: Map<string, News>; opens: boolean }) {
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
    const continues = onPath.at < above.children.length - 1;
    const leads = (unread.get(above.id)?.last ?? -1) > onPath.at;
    if (onPath === node) {
      const isTrail = leads || unread.has(node.id);
      lines.push(<i key={`t${level}`} class={`${kind(level, isTrail, above.id)} to-face`} style={{ "--l": level }} />);
    }
    if (continues) lines.push(<i key={`g${level}`} class={kind(level, leads, above.id)} style={{ "--l": level }} />);
  });
  const trail = (unread.get(node.id)?.last ?? -1) >= 0;
  const own = `${dyeOf(node.id)}${trail ? " is-trail" : ""}`;
  const parent = node.parent && depth > 1 ? node.parent : null;
  const into = parent ? `${dyeOf(parent.id)}${unread.has(node.id) ? " is-trail" : ""}` : "";
  return (
    <>
      {lines}
      {opens && (depth < LEVELS ? <i class={`g ${own} from-face${depth >= PHONE_LEVELS ? " is-deep" : ""}`} style={{ "--l": depth }} /> : <i class={`g is-chain ${own} from-face`} />)}
      {opens && depth >= PHONE_LEVELS && depth < LEVELS && <i class={`g is-chain is-phone ${own} from-face`} />}
      {depth > LEVELS ? <i class={`g is-chain to-top ${into}`} /> : depth > PHONE_LEVELS ? <i class={`g is-chain is-phone to-top ${into}`} /> : null}
    </>
  );
}

/** A row of the tree: a reply or a folded branch, and the pending answers below it. */
function Row({ node, message, base, unread, highlighted, ends, hasAnswers }: Shown & { base: number; highlighted: boolean; ends: Waiting[]; hasAnswers: boolean }) {
  const depth = node.depth - base;
  if (folded.value.has(node.id) && node.children.length > 0) {
    const count = unread.get(node.id)?.count ?? 0;
    return (
      <li class={`reply${depth === 1 ? " is-top" : ""}`} style={{ "--d": depth }} data-row={node.id}>
        <Lines node={node} base={base} unread={unread} opens={false} />
        <span class={`knot ${dye(message.senderId ?? node.id)}${count ? " is-trail" : ""}`}><Icon name="plus" /></span>
        <button type="button" class="fold" aria-expanded={false} onClick={() => toggle(node.id)}>
          <span class="strong is-ink"><bdi>{nameOf(message.senderId)}</bdi></span><b>{t.replyCount(node.count)}</b>
          {count > 0 && <><span aria-hidden="true">·</span><span class="new">{t.newCount(count)}</span></>}
        </button>
      </li>
    );
  }
  const opens = node.children.length > 0 || hasAnswers;
  return (
    <>
      <TreeReply node={node} depth={depth} base={base} message={message} unread={unread} opens={opens} highlighted={highlighted} />
      {ends.map(({ row, parent }) => <PendingReply key={row.id} row={row} depth={parent.depth - base + 1} above={messages.peek(parent.id)} />)}
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
  const kind = `reply${depth === 1 ? " is-top" : ""}${isUnread(message) ? " is-unread" : ""}${highlighted ? " is-target" : ""}`;
  return (
    <li ref={ref} class={kind} style={{ "--d": depth }} tabIndex={-1} data-id={node.id} data-row={node.id} {...handlers} onContextMenu={longPress(node.id, "thread")}>
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
          <span class="hidden-text">{t.level(depth, parent ? nameOf(parent.senderId) : null, isUnread(message))}</span>
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
  reveal(id, (row) => {
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
  });
}

function TimeReply({ message, rootId, highlighted }: { message: Message; rootId: string; highlighted: boolean }) {
  const ref = useRef<HTMLLIElement>(null);
  const { active, handlers } = useActive();
  useReading(ref, message);
  const parent = message.parentId && message.parentId !== rootId ? messages.get(message.parentId) : undefined;
  const kind = `reply${isUnread(message) ? " is-unread" : ""}${highlighted ? " is-target" : ""}`;
  return (
    <li ref={ref} class={kind} style={{ "--d": 1 }} tabIndex={-1} data-id={message.id} data-row={message.id} {...handlers} onContextMenu={longPress(message.id, "thread")}>
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

function PendingReply({ row, depth, above }: { row: Outgoing; depth: number; above?: Message | undefined }) {
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
