// Times and numbers in the language of the page.
import { now } from "./clock";
import { locale, t } from "./text";

const formats = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options);
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(locale, options)));
  return found;
}

export const clock = (at: string) => format({ hour: "numeric", minute: "2-digit" }).format(new Date(at));
export const full = (at: string) => format({ dateStyle: "full", timeStyle: "short" }).format(new Date(at));

/** Days between a time and today, in local days. */
function daysAgo(at: Date): number {
  const start = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  return Math.round((start(new Date(now())) - start(at)) / 86_400_000);
}

export const dayKey = (at: string) => new Date(at).toDateString();

export function day(at: string): string {
  const date = new Date(at);
  const days = daysAgo(date);
  if (days === 0) return t.today;
  if (days === 1) return t.yesterday;
  const isThisYear = date.getFullYear() === new Date(now()).getFullYear();
  return format({ weekday: "long", day: "numeric", month: "long", ...(isThisYear ? {} : { year: "numeric" }) }).format(date);
}

/** A time in a list: the clock today, otherwise the day. */
export function when(at: string): string {
  const date = new Date(at);
  const days = daysAgo(date);
  if (days === 0) return clock(at);
  if (days === 1) return t.yesterday;
  if (days > 1 && days < 7) return format({ weekday: "long" }).format(date);
  return format({ day: "numeric", month: "short" }).format(date);
}

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });

/** A past time relative to now. */
export function ago(at: string): string {
  const minutes = Math.max(0, Math.round((now() - Date.parse(at)) / 60_000));
  if (minutes < 60) return relative.format(-minutes, "minute");
  if (minutes < 24 * 60) return relative.format(-Math.round(minutes / 60), "hour");
  return relative.format(-Math.round(minutes / 1440), "day");
}

export const number = (value: number) => new Intl.NumberFormat(locale).format(value);
export const list = (names: string[]) => new Intl.ListFormat(locale).format(names);

const segmenter = new Intl.Segmenter(locale);
const firstOf = (word: string) => segmenter.segment(word)[Symbol.iterator]().next().value?.segment ?? "";

/** One or two characters for a face. A name in a script without capitals shows one. */
export function initials(name: string, size: number): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = firstOf(words[0] ?? "?");
  if (size <= 20 || words.length < 2 || first.toLowerCase() === first.toUpperCase()) return first.toUpperCase();
  return (first + firstOf(words.at(-1)!)).toUpperCase();
}

/** The dye of a person or a conversation. */
export function dye(id: string): string {
  // FNV-1a with the last steps of MurmurHash3: ids that were created one after the other get different dyes.
  let hash = 0x811c9dc5;
  for (let at = 4; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return `dye-${(((hash ^ (hash >>> 16)) >>> 0) % 6) + 1}`;
}

export const firstName = (name: string) => name.trim().split(/\s+/)[0] ?? name;
