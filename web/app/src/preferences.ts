// Settings of this browser.
import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

function stored<T extends string>(name: string, allowed: readonly T[], initial: T) {
  let value: string | null = null;
  try { value = localStorage.getItem(`heddle ${name}`); } catch { /* A browser without storage uses the default. */ }
  const setting = signal<T>(allowed.includes(value as T) ? (value as T) : initial);
  effect(() => {
    try { localStorage.setItem(`heddle ${name}`, setting.value); } catch { /* The setting lasts until the page closes. */ }
  });
  return setting;
}

/** The width of the panel beside the room, in pixels. */
export const panelWidth = signal(420);
try { panelWidth.value = Number(localStorage.getItem("heddle panel")) || 420; } catch { /* The default. */ }
effect(() => {
  const { value } = panelWidth;
  try { localStorage.setItem("heddle panel", String(value)); } catch { /* It lasts until the page closes. */ }
});

export const theme = stored<Theme>("theme", ["system", "light", "dark"], "system");
const keys = stored<"on" | "off">("keys", ["on", "off"], "on");
/** Whether single keys are shortcuts when no field has the focus. */
export const singleKeys = {
  get value() { return keys.value === "on"; },
  set value(on: boolean) { keys.value = on ? "on" : "off"; },
};

/** Whether the server is in development mode, and offers GraphiQL and the demo. */
export const isDevelopment = import.meta.env.DEV || globalThis.document?.documentElement.dataset["mode"] === "development";

const narrow = matchMedia("(max-width: 720px)");
/** Whether the window shows one region at a time. */
export const phone = signal(narrow.matches);
narrow.addEventListener("change", () => (phone.value = narrow.matches));

/** Shows the chosen theme. */
export function followTheme(): void {
  effect(() => {
    const root = document.documentElement;
    if (theme.value === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme.value);
  });
}
