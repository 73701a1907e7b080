// The connection to the server: web/client.js does the work, this adds types and the state that the views show.
import { signal } from "@preact/signals";

import { Heddle, HeddleError } from "../../client.js";
import { textOf, type ResultOf, type VariablesOf } from "./graphql";

export { HeddleError };

/** Whether a user is signed in, in any tab. */
export const signedIn = signal(false);

/** The page's server. Outside a page, such as in a test, `location` may be set to one. */
const url = new URL("/graphql", globalThis.location?.href ?? "http://localhost").href;

export const heddle = new Heddle(url, { changed: (now) => (signedIn.value = now) });
signedIn.value = heddle.isSignedIn;

/** Runs an operation. Its result has the types of the schema. */
export async function request<D>(
  document: D,
  ...[variables]: keyof VariablesOf<D> extends never ? [] : [VariablesOf<D>]
): Promise<ResultOf<D>> {
  return heddle.request(textOf(document), variables as Record<string, unknown> | undefined);
}

/** A problem with one field of a form. */
export interface Problem {
  field: string;
  code: string;
  message: string;
}

/** The field problems of a failed request, without the prefix `input`. */
export function problemsOf(error: unknown): Problem[] {
  if (!(error instanceof HeddleError)) return [];
  const problems: { path: (string | number)[]; code: string; message: string }[] = error.extensions["problems"] ?? [];
  return problems.map(({ path, code, message }) => ({ field: path.filter((part) => part !== "input").join("."), code, message }));
}

export const codeOf = (error: unknown): string => (error instanceof HeddleError ? error.code : "INTERNAL");
