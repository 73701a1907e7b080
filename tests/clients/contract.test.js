// The committed schema as other tools read it: graphql-js builds it, and it contains every field that the clients of this
// repository select.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { buildSchema, parse, validate } from "graphql";

import { tabs } from "../../web/graphiql/src/tabs.js";

const schema = buildSchema(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"));

test("graphql-js builds the committed schema", () => {
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    assert.notEqual(root, undefined);
  }
});

for (const { query } of tabs) {
  const document = parse(query);
  const [{ name }] = document.definitions;
  test(`GraphiQL's tab ${name.value} selects only existing fields`, () => {
    assert.deepEqual(validate(schema, document), []);
  });
}
