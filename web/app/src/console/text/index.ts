// The texts of the console in the language of the page.
import { lang } from "../../text";
import { en, type Messages } from "./en";

async function load(): Promise<Messages> {
  if (lang === "ar") return (await import("./ar")).ar;
  if (lang === "ja") return (await import("./ja")).ja;
  return en;
}

export const c: Messages = await load();
