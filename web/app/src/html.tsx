// Shows the server's HTML of a message. It is parsed once into nodes of a short list of elements, so that mentions can
// be marked and each paragraph finds its own direction.
import { h, type ComponentChild, type VNode } from "preact";

import { trustedHtml } from "./trusted";

export interface Names {
  /** Usernames that the message mentions, in lower case, with the name to show. */
  mentions: Map<string, string>;
  /** The viewer's username, in lower case. */
  me: string;
}

const cache = new Map<string, VNode[]>();
const MAX_CACHE = 1_000;

/** Parses the HTML of a message. */
export function rich(html: string, names: Names): VNode[] {
  const key = `${names.me}\n${[...names.mentions].join()}\n${html}`;
  let found = cache.get(key);
  if (!found) {
    const page = new DOMParser().parseFromString(trustedHtml(html), "text/html");
    found = [...page.body.childNodes].flatMap((node) => block(node, names));
    if (cache.size > MAX_CACHE) cache.clear();
    cache.set(key, found);
  }
  return found;
}

const children = (node: globalThis.Node, names: Names): ComponentChild[] =>
  [...node.childNodes].flatMap((child) => inline(child, names));

function block(node: globalThis.Node, names: Names): VNode[] {
  if (!(node instanceof Element)) return node.textContent?.trim() ? [<p class="text" dir="auto">{inline(node, names)}</p>] : [];
  const name = node.localName;
  if (name === "pre") {
    return [<pre class="code" tabIndex={0} dir="ltr"><code>{node.textContent?.replace(/\n$/, "")}</code></pre>];
  }
  if (name === "blockquote") return [<blockquote dir="auto">{[...node.childNodes].flatMap((child) => block(child, names))}</blockquote>];
  if (name === "ul" || name === "ol") {
    const start = node.getAttribute("start");
    return [h(name, { class: "text", dir: "auto", ...(start ? { start: Number(start) } : {}) }, children(node, names))];
  }
  if (name === "hr") return [<hr />];
  if (/^h[1-6]$/.test(name)) return [<p class="text strong" dir="auto">{children(node, names)}</p>];
  return [<p class="text" dir="auto">{children(node, names)}</p>];
}

function inline(node: globalThis.Node, names: Names): ComponentChild[] {
  if (!(node instanceof Element)) return marked(node.textContent ?? "", names);
  const name = node.localName;
  if (name === "a") {
    const href = node.getAttribute("href") ?? "";
    if (!/^(https?|mailto):/i.test(href)) return children(node, names);
    return [<a href={href} target="_blank" rel="nofollow noopener noreferrer">{node.textContent}</a>];
  }
  if (name === "code") return [<code dir="ltr">{node.textContent}</code>];
  if (name === "br") return [<br />];
  if (name === "ul" || name === "ol" || name === "pre" || name === "blockquote" || name === "p") {
    return name === "p" ? children(node, names) : block(node, names);
  }
  if (name === "li") return [<li>{children(node, names)}</li>];
  if (["strong", "em", "del"].includes(name)) return [h(name, null, children(node, names))];
  return children(node, names);
}

const MENTION = /(^|[^\p{L}\p{N}_@/])@([\p{L}\p{N}_.-]*[\p{L}\p{N}_])/gu;

/** An address in running text, without the punctuation of the sentence around it. */
const ADDRESS = /https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]}»”’、。」]/gu;

/** Makes addresses that are not Markdown links links, too. */
function marked(text: string, names: Names): ComponentChild[] {
  const parts: ComponentChild[] = [];
  let from = 0;
  for (const match of text.includes("://") ? text.matchAll(ADDRESS) : []) {
    parts.push(...mentioned(text.slice(from, match.index), names));
    parts.push(<a href={match[0]} target="_blank" rel="nofollow noopener noreferrer">{match[0]}</a>);
    from = match.index + match[0].length;
  }
  return [...parts, ...mentioned(text.slice(from), names)];
}

/** Marks the mentions that the server recognised. */
function mentioned(text: string, { mentions, me }: Names): ComponentChild[] {
  if (!mentions.size || !text.includes("@")) return [text];
  const parts: ComponentChild[] = [];
  let from = 0;
  for (const match of text.matchAll(MENTION)) {
    const [, before = "", username = ""] = match;
    const name = mentions.get(username.toLowerCase());
    if (!name) continue;
    const start = match.index + before.length;
    parts.push(text.slice(from, start));
    const isMe = username.toLowerCase() === me;
    parts.push(<span class={isMe ? "mention me" : "mention"} title={name}>@{username}</span>);
    from = start + 1 + username.length;
  }
  parts.push(text.slice(from));
  return parts;
}
