// The timeline with its own scroll anchor: whatever loads, arrives or grows, the first visible message stays in place.
import { signal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { day, dayKey } from "../format";
import { messages, viewerId } from "../store/data";
import { lastArrival } from "../store/events";
import { outbox } from "../store/outbox";
import { open as opened } from "../store/session";
import { load, markNew, open, openEnd, timeline } from "../store/timeline";
import { t } from "../text";
import { PendingMessage, TimelineMessage } from "./Message";
import { Failed, Icon, nameOf, Skeleton } from "./parts";

/** Within this distance of the end, new messages scroll into view. */
const NEAR_END = 100;
/** Pages load when their edge is this near. */
const AHEAD = 800;
/** Messages of one person within this time are one group. */
const GROUP = 5 * 60_000;

/** Messages below the view, of the open conversation. */
const below = signal(0);
const announcement = signal("");

/** Keeps the first visible row in place. */
class Anchor {
  #id: string | null = null;
  #top = 0;
  /** The scroll position when the row was at `#top`. */
  #scrollTop = 0;
  atEnd = true;

  constructor(private readonly box: HTMLElement) {}

  /** Remembers what is in view. */
  note(): void {
    const { box } = this;
    const top = box.getBoundingClientRect().top;
    this.#settle();
    for (const row of box.querySelectorAll<HTMLElement>("[data-sequence]")) {
      const rect = row.getBoundingClientRect();
      if (rect.bottom > top + 1) {
        this.#id = row.dataset["id"]!;
        this.#top = rect.top - top;
        return;
      }
    }
    this.#id = null;
  }

  /** Scrolls so that it is where it was. */
  keep(stick: boolean): void {
    const { box } = this;
    // The reader may have scrolled since: the event comes with the next frame, and what they did stays.
    const scrolled = box.scrollTop - this.#scrollTop;
    if (stick && this.atEnd && scrolled >= 0) box.scrollTop = box.scrollHeight;
    else {
      const row = this.#id && box.querySelector<HTMLElement>(`[data-id="${this.#id}"]`);
      if (!row) return this.note();
      this.#top -= scrolled;
      const moved = row.getBoundingClientRect().top - box.getBoundingClientRect().top - this.#top;
      if (moved) box.scrollTop += moved;
    }
    this.#settle();
  }

  /** Remembers where the list is. */
  #settle(): void {
    const { box } = this;
    this.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
    this.#scrollTop = box.scrollTop;
  }

  get id(): string | undefined {
    return this.#id ?? undefined;
  }
}

export function Timeline({ conversationId, target, openRoot, onScrolled }: {
  conversationId: string; target: string | undefined; openRoot: string | null; onScrolled: (scrolled: boolean) => void;
}) {
  const line = timeline(conversationId);
  const window = line.window.value;
  const box = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLOListElement>(null);
  const anchor = useRef<Anchor>(undefined);
  const placed = useRef("");

  // A conversation opens where the viewer stopped reading, or at the message of the address.
  useEffect(() => {
    placed.current = "";
    const known = line.window.peek();
    const has = !!known && (!target || known.entries.some(({ id }) => id === target));
    if (!has) {
      line.window.value = undefined;
      void open(conversationId, target);
    } else if (!target) markNew(conversationId);
    return () => { opened.anchorId = undefined; };
  }, [conversationId, target]);

  const hasRows = !!window;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !hasRows) return;
    anchor.current = new Anchor(element);
    const kept = anchor.current;
    const resized = new ResizeObserver(() => kept.keep(!line.window.peek()?.hasNewer));
    resized.observe(element);
    if (rows.current) resized.observe(rows.current);
    return () => resized.disconnect();
  }, [conversationId, hasRows]);

  // After every render: place a fresh timeline, or keep the anchor.
  useLayoutEffect(() => {
    const element = box.current;
    const kept = anchor.current;
    if (!element || !kept || !window) return;
    const place = `${conversationId} ${target ?? ""}`;
    if (placed.current !== place) {
      placed.current = place;
      const row = target ? element.querySelector(`[data-id="${target}"]`) : rows.current?.querySelector(".divider.is-new");
      if (row) {
        const offset = row.getBoundingClientRect().top - element.getBoundingClientRect().top;
        element.scrollTop += offset - element.clientHeight * (target ? 0.35 : 0.2);
        if (target) (row as HTMLElement).focus({ preventScroll: true });
      } else if (!window.hasNewer) element.scrollTop = element.scrollHeight;
      kept.note();
    } else kept.keep(!window.hasNewer);
    look();
  });

  const look = () => {
    const element = box.current;
    const now = line.window.peek();
    if (!element || !now) return;
    onScrolled(element.scrollTop > 0);
    if (now.hasOlder && element.scrollTop < AHEAD) void load(conversationId, "older");
    const rest = element.scrollHeight - element.scrollTop - element.clientHeight;
    if (now.hasNewer && rest < AHEAD) void load(conversationId, "newer");
    if (anchor.current?.atEnd && !now.hasNewer) below.value = 0;
    opened.anchorId = anchor.current?.atEnd ? undefined : anchor.current?.id;
  };
  const scrolled = () => {
    anchor.current?.note();
    look();
  };

  // New messages: announce them, and count those below the view.
  const arrival = lastArrival.value;
  const announced = useRef(arrival);
  useEffect(() => {
    if (!arrival || arrival === announced.current) return;
    announced.current = arrival;
    const message = messages.peek(arrival.id);
    if (arrival.conversationId !== conversationId || !message || message.parentId) return;
    if (message.senderId === viewerId.peek()) return;
    if (anchor.current?.atEnd) announcement.value = t.said(nameOf(message.senderId), message.body ?? "");
    else below.value += 1;
  }, [arrival]);
  useEffect(() => { below.value = 0; }, [conversationId]);

  const toEnd = async () => {
    if (line.window.peek()?.hasNewer) await openEnd(conversationId);
    requestAnimationFrame(() => {
      const element = box.current;
      if (!element) return;
      element.scrollTop = element.scrollHeight;
      scrolled();
    });
  };

  // The viewer's own message scrolls to the end.
  const pending = outbox.value.filter((row) => row.conversationId === conversationId && !row.rootId);
  const lastPending = pending.at(-1)?.id;
  useLayoutEffect(() => {
    if (!lastPending) return;
    void toEnd();
  }, [lastPending]);

  if (line.failed.value) return <Failed error={line.failed.value} retry={() => void open(conversationId, target)} />;
  if (window === undefined) return <div class="scroll"><div class="column"><Skeleton rows={6} lines /></div></div>;
  if (window === null) {
    return <div class="empty"><p class="lead">{t.notFoundLead}</p><a class="button primary" href="/">{t.backToConversations}</a></div>;
  }

  let before: { senderId: string | null; at: number; day: string; isNotice: boolean } | null = null;
  const same = (senderId: string | null, createdAt: string, isNotice: boolean, isBreak: boolean) => {
    const at = Date.parse(createdAt);
    const is = !isBreak && !!before && !isNotice && !before.isNotice && before.senderId === senderId && at - before.at < GROUP && before.day === dayKey(createdAt);
    before = { senderId, at, day: dayKey(createdAt), isNotice };
    return is;
  };
  const newFrom = line.newFrom.value;
  const known = new Set(window.entries.map(({ id }) => id));
  let lastDay = "";
  return (
    <>
      <div class="scroll" ref={box} onScroll={scrolled}>
        <ol class="timeline column" ref={rows} aria-label={t.messages}>
          {!window.hasOlder && <li class="beginning">{t.beginning}</li>}
          {window.entries.map(({ id }) => {
            const message = messages.peek(id);
            if (!message) return null;
            const isDay = dayKey(message.createdAt) !== lastDay;
            lastDay = dayKey(message.createdAt);
            const isSame = same(message.senderId, message.createdAt, message.kind === "NOTICE", isDay || id === newFrom);
            return (
              <Fragment key={id}>
                {isDay && <li class="divider">{day(message.createdAt)}</li>}
                {id === newFrom && <li class="divider is-new"><span>{t.newLine}</span></li>}
                <TimelineMessage id={id} same={isSame} open={id === openRoot} target={id === target} />
              </Fragment>
            );
          })}
          {!window.hasNewer && pending.map((row) => (row.sentId && known.has(row.sentId) ? null : <PendingMessage key={row.id} row={row} same={same(viewerId.value, row.at, false, false)} />))}
        </ol>
      </div>
      <div class="pill-place column">
        {(below.value > 0 || window.hasNewer) && (
          <button type="button" class={below.value ? "pill" : "pill is-quiet"} onClick={() => void toEnd()}>
            <Icon name="arrow-down" small />{below.value ? t.newMessages(below.value) : t.toTheEnd}
          </button>
        )}
      </div>
      <div class="hidden-text" aria-live="polite">{announcement.value}</div>
    </>
  );
}
