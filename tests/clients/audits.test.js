// The public conformance suite for GraphQL over HTTP: every MUST and every SHOULD holds. What is merely
// allowed (MAY) is reported, not required.
import assert from "node:assert/strict";
import { test } from "node:test";

import { serverAudits } from "graphql-http";

import { endpoint } from "./people.js";

// Statuses that the present draft requires where the suite tests an older draft, with the reason.
const newer = new Map([
  ["74FF", { status: 422, why: "a document that does not validate was understood but cannot be processed" }],
  ["86EE", { status: 422, why: "variables that cannot be coerced are well-formed but cannot be processed" }],
]);

for (const audit of serverAudits({ url: endpoint })) {
  test(`${audit.id} ${audit.name}`, async (t) => {
    const result = await audit.fn();
    if (result.status === "ok") return;
    const exception = newer.get(audit.id);
    if (exception?.status === result.response.status) {
      t.diagnostic(`${exception.status} instead: ${exception.why}`);
    } else if (result.status === "notice") {
      t.diagnostic(`not done: ${result.reason}`);
    } else {
      assert.fail(`${result.reason}; status ${result.response.status}: ${await result.response.text()}`);
    }
  });
}
