// Types of the operations, derived from schema.graphql by gql.tada. Nothing of it is in the bundle: at run time a
// document is its text.
import type { initGraphQLTada, ResultOf, VariablesOf } from "gql.tada";
import type { introspection } from "schema";

interface Setup {
  introspection: introspection;
  disableMasking: true;
  scalars: { DateTime: string; HTML: string };
}

type Tada = ReturnType<typeof initGraphQLTada<Setup>>;

/** A document at run time: its own text, and the fragments that it uses. */
interface Source {
  text: string;
  uses: Source[];
}

/** Declares an operation or a fragment. The build checks all of them against the schema. */
export const graphql = ((text: string, uses: Source[] = []): Source => ({ text, uses })) as unknown as Tada;

/** Returns the text of a document, with each fragment once. */
export function textOf(document: unknown): string {
  const parts = new Set<string>();
  const add = (source: Source) => {
    parts.add(source.text);
    source.uses.forEach(add);
  };
  add(document as Source);
  return [...parts].join("\n");
}

export type { ResultOf, VariablesOf };
