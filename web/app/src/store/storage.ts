// What this browser keeps: messages that wait, drafts, and a picture of the data for starts without a connection. A
// browser may offer no storage, such as in a private window, or a full one: then the page itself keeps what it must.
import { signal } from "@preact/signals";

/** The browser's storage is full or missing: what waits lasts only as long as this page. */
export const storageFails = signal(false);

type Name = "outbox" | "pictures";
let opened: Promise<IDBDatabase | null> | undefined;

function database(): Promise<IDBDatabase | null> {
  opened ??= new Promise((resolve) => {
    try {
      const opening = indexedDB.open("heddle", 2);
      opening.onupgradeneeded = () => {
        const { result } = opening;
        if (!result.objectStoreNames.contains("outbox")) result.createObjectStore("outbox", { keyPath: "id" });
        if (!result.objectStoreNames.contains("pictures")) result.createObjectStore("pictures");
      };
      opening.onsuccess = () => {
        // A newer version of the client, in another tab, must not wait for this one.
        opening.result.onversionchange = () => opening.result.close();
        resolve(opening.result);
      };
      opening.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return opened;
}

/** Changes rows. Returns whether the browser has stored them. */
export async function write(name: Name, change: (rows: IDBObjectStore) => void): Promise<boolean> {
  const open = await database();
  return new Promise((resolve) => {
    try {
      if (!open) return resolve(false);
      const transaction = open.transaction(name, "readwrite");
      transaction.oncomplete = () => resolve(true);
      transaction.onabort = transaction.onerror = () => resolve(false);
      change(transaction.objectStore(name));
    } catch {
      resolve(false);
    }
  });
}

/** Reads rows; null if the browser stores none. */
export async function read<T>(name: Name, query: (rows: IDBObjectStore) => IDBRequest<T>): Promise<T | null> {
  const open = await database();
  return new Promise((resolve) => {
    try {
      if (!open) return resolve(null);
      const reading = query(open.transaction(name).objectStore(name));
      reading.onsuccess = () => resolve(reading.result ?? null);
      reading.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}

/** Drafts that the browser has not stored. */
const unsaved = new Map<string, string>();

export function readDraft(key: string): string {
  const kept = unsaved.get(key);
  if (kept !== undefined) return kept;
  try { return localStorage.getItem(`heddle draft ${key}`) ?? ""; } catch { return ""; }
}

export function writeDraft(key: string, body: string): void {
  unsaved.delete(key);
  try {
    if (body) localStorage.setItem(`heddle draft ${key}`, body);
    else localStorage.removeItem(`heddle draft ${key}`);
  } catch {
    if (body) unsaved.set(key, body);
  }
}
