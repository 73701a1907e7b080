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

export const theme = stored<Theme>("theme", ["system", "light", "dark"], "system");
const keys = stored<"on" | "off">("keys", ["on", "off"], "on");
/** Whether single keys are shortcuts when no field has the focus. */
export const singleKeys = {
  get value() { return keys.value === "on"; },
  set value(on: boolean) { keys.value = on ? "on" : "off"; },
};

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
