// The part of a long list that the page holds. The rows above and below it are empty space of the same height, so that
// the scroll bar shows the whole list, and the first visible row stays in place when the part moves.
import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** Most rows that the page holds. */
const MOST = 240;
/** The part moves when fewer rows than this are left before its edge. */
const EDGE = 60;
/** The height of a row that was never shown, in pixels. */
const ESTIMATE = 48;

interface Box {
  current: HTMLElement | null;
}

export interface Slice {
  /** The ids of the rows in the page. */
  shown: string[];
  /** The heights of what is not in the page, in pixels. */
  above: number;
  below: number;
  /** Moves the part after scrolling. Returns the index of the last visible row. */
  follow(): number;
  /** Brings a row into the page, and calls `done` with it. */
  reveal(id: string, done: (row: HTMLElement) => void): void;
}

/** Each row of the list is an element with the attribute `data-row`, its id. The list is the element with `data-rows`. */
export function useSlice(box: Box, ids: string[]): Slice {
  const [from, setFrom] = useState(0);
  const heights = useRef(new Map<string, number>());
  const anchor = useRef<{ id: string; top: number } | null>(null);
  const wanted = useRef<{ id: string; done: (row: HTMLElement) => void } | null>(null);
  const start = Math.max(0, Math.min(from, ids.length - MOST));
  const end = start + MOST;
  const height = (id: string) => heights.current.get(id) ?? ESTIMATE;
  const sum = (list: string[]) => list.reduce((total, id) => total + height(id), 0);
  const find = (id: string) => box.current?.querySelector<HTMLElement>(`[data-row="${id}"]`);
  const top = () => box.current!.getBoundingClientRect().top;

  useLayoutEffect(() => {
    const kept = anchor.current;
    anchor.current = null;
    const row = kept && find(kept.id);
    if (row) {
      const moved = row.getBoundingClientRect().top - top() - kept.top;
      if (Math.abs(moved) >= 0.5) box.current!.scrollTop += moved;
    }
    const want = wanted.current;
    const found = want && find(want.id);
    if (found) {
      wanted.current = null;
      want.done(found);
    }
  });

  const follow = (): number => {
    const element = box.current;
    const list = element?.querySelector("[data-rows]");
    if (!element || !list) return ids.length;
    const rows = [...list.querySelectorAll<HTMLElement>("[data-row]")];
    const tops = rows.map((row) => row.getBoundingClientRect().top);
    // With the margin between two rows.
    rows.slice(0, -1).forEach((row, at) => heights.current.set(row.dataset["row"]!, tops[at + 1]! - tops[at]!));
    const offset = top() - list.getBoundingClientRect().top;
    let [first, last, passed] = [-1, ids.length - 1, 0];
    for (const [at, id] of ids.entries()) {
      passed += height(id);
      if (first < 0 && passed > offset) first = at;
      if (passed >= offset + element.clientHeight) {
        last = at;
        break;
      }
    }
    if (first < 0) first = ids.length - 1;
    const isNearStart = start > 0 && first < start + EDGE;
    const isNearEnd = end < ids.length && last > end - EDGE;
    if (isNearStart || isNearEnd) {
      const next = Math.max(0, Math.min(ids.length - MOST, Math.floor((first + last) / 2) - MOST / 2));
      const kept = rows.findIndex((_row, at) => tops[at]! >= top() && start + at >= next);
      const row = rows[kept];
      anchor.current = row ? { id: row.dataset["row"]!, top: tops[kept]! - top() } : null;
      setFrom(next);
    }
    return last;
  };

  const reveal = (id: string, done: (row: HTMLElement) => void) => {
    const row = find(id);
    if (row) return done(row);
    const at = ids.indexOf(id);
    if (at < 0) return;
    wanted.current = { id, done };
    setFrom(Math.max(0, at - MOST / 2));
  };

  return { shown: ids.slice(start, end), above: sum(ids.slice(0, start)), below: sum(ids.slice(end)), follow, reveal };
}
