// Keyboard shortcuts of the page.
import { singleKeys } from "./preferences";
import { navigate, route, toConversation, toThread, toReply } from "./route";
import { messages, sorted, viewerId } from "./store/data";
import { markUnreadFrom } from "./store/read";
import { markAllRead } from "./ui/marks";
import { editing } from "./ui/Message";
import { openPalette, openShortcuts, overlay } from "./ui/overlays";
import { openConversation } from "./ui/Sidebar";

const isField = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Goes to the next conversation of the sidebar. */
function step(by: 1 | -1, unreadOnly: boolean): void {
  const { pinned, others } = sorted.peek();
  const rows = [...pinned, ...others];
  const at = rows.findIndex(({ id }) => id === openConversation.peek());
  for (let i = 1; i <= rows.length; i += 1) {
    const row = rows[(at + by * i + rows.length * 2) % rows.length];
    if (row && (!unreadOnly || row.viewerMembership?.unreadCount)) return navigate(toConversation(row.id));
  }
}

/** Moves the focus between the rows of the region that has it. */
function move(by: 1 | -1): void {
  const here = document.activeElement as HTMLElement | null;
  const region = here?.closest(".panel, .room") ?? document.querySelector(".room");
  const rows = [...(region?.querySelectorAll<HTMLElement>("[data-id][tabindex]") ?? [])];
  if (!rows.length) return;
  const at = rows.indexOf(here?.closest<HTMLElement>("[data-id][tabindex]") ?? rows[0]!);
  const isInside = !!here?.closest("[data-id][tabindex]");
  const next = isInside ? rows[at + by] : rows.at(by < 0 ? -1 : 0);
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

function onMessage(key: string): boolean {
  const row = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>("[data-id][tabindex]");
  const message = row && messages.peek(row.dataset["id"]!);
  if (!message || document.activeElement !== row) return false;
  const place = row.closest(".panel") ? "thread" : "timeline";
  if ((key === "Enter" || key === "r" || key === "t") && place === "timeline" && !message.deletedAt) {
    navigate(message.threadId ? toThread(message.threadId) : toReply(message.conversationId, message.id));
  } else if ((key === "Enter" || key === "r") && place === "thread") {
    row.querySelector<HTMLElement>(".toolbar button")?.click();
  } else if (key === "e" && message.viewerCanEdit) editing.value = { id: message.id, place };
  else if (key === "u" && message.senderId !== viewerId.peek()) void markUnreadFrom(message.id).catch(() => {});
  else return false;
  return true;
}

export function followKeys(): void {
  const withModifier = (event: KeyboardEvent): boolean => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") openPalette();
    else if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) step(event.key === "ArrowDown" ? 1 : -1, event.shiftKey);
    else return false;
    event.preventDefault();
    return true;
  };
  addEventListener("heddle-keys", (event) => withModifier((event as CustomEvent<KeyboardEvent>).detail));
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || withModifier(event)) return;
    if (overlay.peek() || isField(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      const now = route.peek();
      if (now.page === "thread" || (now.page === "room" && now.panel)) {
        const id = openConversation.peek();
        if (id) navigate(toConversation(id));
      } else {
        const id = openConversation.peek();
        if (id) markAllRead(id);
      }
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if ((event.target as Element).closest?.("[data-id][tabindex]")) {
        event.preventDefault();
        move(event.key === "ArrowDown" ? 1 : -1);
      }
      return;
    }
    if (event.key === "Enter" ? onMessage("Enter") : false) return event.preventDefault();
    if (!singleKeys.value) return;
    const key = event.key;
    if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
    else if (key === "?") openShortcuts();
    else if (key === "/") openPalette();
    else if (!onMessage(key)) return;
    event.preventDefault();
  });
}
