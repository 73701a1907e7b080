// Which dialog is open. One at a time.
import { signal } from "@preact/signals";

export type Overlay =
  | { kind: "new" }
  | { kind: "palette" }
  | { kind: "shortcuts" }
  | { kind: "history"; messageId: string }
  | { kind: "delete"; messageId: string }
  | { kind: "actions"; messageId: string; place: "timeline" | "thread" }
  | { kind: "add"; conversationId: string }
  | { kind: "leave"; conversationId: string }
  | { kind: "deleteConversation"; conversationId: string }
  | { kind: "deleteAccount" };

export const overlay = signal<Overlay | null>(null);
export const closeOverlay = () => (overlay.value = null);
export const openNew = () => (overlay.value = { kind: "new" });
export const openPalette = () => (overlay.value = { kind: "palette" });
export const openShortcuts = () => (overlay.value = { kind: "shortcuts" });
