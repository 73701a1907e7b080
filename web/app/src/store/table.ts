// Rows by id. What a view shows is the server's row with the pending changes of the viewer on top; each change can be
// taken back alone.
import { signal, type Signal } from "@preact/signals";

interface Row {
  id: string;
}

/** A change that the server has not confirmed. */
export interface Pending {
  /** Removes the change: the server's row, which may have changed meanwhile, shows again. */
  drop(): void;
}

let changes = 0;
/** Grows with every change of a row, in any table. */
export const changeCount = () => changes;

export class Table<T extends Row> {
  #base = new Map<string, T>();
  #pending = new Map<string, Partial<T>[]>();
  #shown = new Map<string, Signal<T | undefined>>();
  /** Rows that a view shows. */
  #watched = new Set<string>();

  /** The row as a view shows it. Reading it subscribes the caller, also to a row that does not exist yet. */
  get(id: string): T | undefined {
    return this.#signal(id).value;
  }

  /** The row as a view shows it, without a subscription. */
  peek(id: string): T | undefined {
    return this.#signal(id).peek();
  }

  /** Merges facts from the server. */
  put(row: Partial<T> & Row): void {
    const before = this.#base.get(row.id);
    this.#base.set(row.id, { ...before, ...row } as T);
    this.#show(row.id);
  }

  /** Merges facts into a row that exists. Unlike `put`, it never creates half a row. */
  patch(row: Partial<T> & Row): void {
    if (this.#base.has(row.id)) this.put(row);
  }

  remove(id: string): void {
    this.#base.delete(id);
    this.#show(id);
  }

  get size(): number {
    return this.#base.size;
  }

  /** Forgets rows that no view shows and that are not in this set. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#shown.keys()) {
      if (ids.has(id) || this.#watched.has(id) || this.#pending.has(id)) continue;
      this.#base.delete(id);
      this.#shown.delete(id);
    }
  }

  clear(): void {
    this.#base.clear();
    this.#pending.clear();
    for (const id of this.#shown.keys()) this.#show(id);
  }

  /** Shows a change before the server has confirmed it. */
  change(id: string, fields: Partial<T>): Pending {
    const list = this.#pending.get(id) ?? [];
    this.#pending.set(id, [...list, fields]);
    this.#show(id);
    return {
      drop: () => {
        const rest = (this.#pending.get(id) ?? []).filter((other) => other !== fields);
        if (rest.length) this.#pending.set(id, rest);
        else this.#pending.delete(id);
        this.#show(id);
      },
    };
  }

  /** Every row of the server. */
  all(): T[] {
    return [...this.#base.values()];
  }

  #signal(id: string): Signal<T | undefined> {
    let shown = this.#shown.get(id);
    if (!shown) {
      shown = signal(this.#base.get(id), { watched: () => this.#watched.add(id), unwatched: () => this.#watched.delete(id) });
      this.#shown.set(id, shown);
    }
    return shown;
  }

  #show(id: string): void {
    changes += 1;
    const shown = this.#signal(id);
    const base = this.#base.get(id);
    shown.value = base && Object.assign({}, base, ...(this.#pending.get(id) ?? []));
  }
}
