// Fails when a manifest declares a dependency that the code of its package does not use.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

// Declared only for their exact version: the executor depends on them (docs/adr/0003), and an application that mounts the
// schema in its own axum server needs the matching integration (ours is described in docs/adr/0004).
const pins = new Set(["async-graphql-axum", "async-graphql-derive", "async-graphql-parser"]);

function* sources(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (name.endsWith(".rs")) yield path;
  }
}

const text = execFileSync("cargo", ["metadata", "--no-deps", "--locked", "--format-version", "1"], {
  maxBuffer: 1 << 26,
});
const unused = [];
for (const { name, manifest_path, dependencies } of JSON.parse(text).packages) {
  const root = dirname(manifest_path);
  const code = ["src", "tests", "benches"]
    .map((folder) => join(root, folder))
    .filter((folder) => statSync(folder, { throwIfNoEntry: false }))
    .flatMap((folder) => [...sources(folder)])
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");
  for (const dependency of dependencies) {
    const crate = (dependency.rename ?? dependency.name).replaceAll("-", "_");
    if (!pins.has(dependency.name) && !new RegExp(`\\b${crate}\\b`).test(code)) {
      unused.push(`${name}: ${dependency.name}`);
    }
  }
}
if (unused.length > 0) {
  console.error(`never used:\n  ${unused.join("\n  ")}`);
  process.exit(1);
}
