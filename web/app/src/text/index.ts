// The texts of the page in the language of the viewer.
import { en, type Messages } from "./en";

export const LANGUAGES: Record<string, string> = { en: "English", ar: "العربية", ja: "日本語" };

function chosen(): string {
  let stored: string | null = null;
  try { stored = localStorage.getItem("heddle language"); } catch { /* The browser's languages apply. */ }
  const wanted = [stored, ...(globalThis.navigator?.languages ?? [])];
  for (const tag of wanted) {
    const id = tag?.split("-")[0];
    if (id && id in LANGUAGES) return id;
  }
  return "en";
}

export const lang = chosen();
/** The language with the viewer's region, which decides between clocks of 12 and 24 hours. */
export const locale = globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === lang) ?? lang;

/** Stores the language and loads the page again. */
export function setLanguage(id: string): void {
  try { localStorage.setItem("heddle language", id); } catch { return; }
  location.reload();
}

async function load(): Promise<Messages> {
  if (lang === "ar") return (await import("./ar")).ar;
  if (lang === "ja") return (await import("./ja")).ja;
  return en;
}

export const t: Messages = await load();

if (typeof document !== "undefined") {
  document.documentElement.lang = lang;
  document.documentElement.dir = lang === "ar" ? "rtl" : "ltr";
}
