// A button beside selected text of one message: it quotes the text in the reply.
import { useEffect, useState } from "preact/hooks";

import { messages } from "../store/data";
import { t } from "../text";
import { openReply } from "./Message";
import { Icon } from "./parts";
import { answer } from "./Thread";

/** The distance between the button and the text, and the least one to the edge of the window, in pixels. */
const GAP = 8;
const HEIGHT = 36;

interface Place {
  messageId: string;
  isReply: boolean;
  left: number;
  top: number;
}

/** The text of a message that may be answered, if all of the selection is in it. */
function selected(): Place | null {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !selection.rangeCount || !selection.toString().trim()) return null;
  const range = selection.getRangeAt(0);
  const inside = range.commonAncestorContainer;
  const element = inside instanceof Element ? inside : inside.parentElement;
  const row = element?.closest<HTMLElement>("[data-id]");
  if (!row || element?.closest("textarea, input, .byline, .replies")) return null;
  const message = messages.peek(row.dataset["id"]!);
  if (!message?.viewerCanReply || message.deletedAt) return null;
  const rect = range.getBoundingClientRect();
  const above = rect.top - HEIGHT - GAP;
  return {
    messageId: message.id,
    isReply: !!row.closest(".tree"),
    left: Math.max(64, Math.min(innerWidth - 64, rect.left + rect.width / 2)),
    top: above < GAP ? rect.bottom + GAP : above,
  };
}

export function QuoteButton() {
  const [place, setPlace] = useState<Place | null>(null);
  useEffect(() => {
    let frame = 0;
    let isDown = false;
    const look = () => {
      cancelAnimationFrame(frame);
      // While the pointer selects, a button would be in its way.
      frame = requestAnimationFrame(() => setPlace(isDown ? null : selected()));
    };
    const down = () => { isDown = true; };
    const up = () => { isDown = false; look(); };
    document.addEventListener("selectionchange", look);
    document.addEventListener("scroll", look, true);
    document.addEventListener("pointerdown", down, true);
    document.addEventListener("pointerup", up, true);
    document.addEventListener("pointercancel", up, true);
    return () => {
      cancelAnimationFrame(frame);
      document.removeEventListener("selectionchange", look);
      document.removeEventListener("scroll", look, true);
      document.removeEventListener("pointerdown", down, true);
      document.removeEventListener("pointerup", up, true);
      document.removeEventListener("pointercancel", up, true);
    };
  }, []);
  const message = place && messages.peek(place.messageId);
  if (!message) return null;
  const quote = () => {
    if (place.isReply) answer(message)();
    else openReply(message);
    getSelection()?.removeAllRanges();
  };
  return (
    <button
      type="button" class="popup quote-button" style={{ left: `${place.left}px`, top: `${place.top}px` }}
      onPointerDown={(event) => { event.preventDefault(); event.stopPropagation(); }} onClick={quote}
    ><Icon name="reply" small flip />{t.quoteInReply}</button>
  );
}
