// Notes which packages end up in the bundle, so that THIRD_PARTY.md names these and no others.
import { writeFileSync } from "node:fs";

export function bundledPackages() {
  const found = new Set();
  return {
    collect: () => ({
      name: "collect-packages",
      generateBundle(_options, bundle) {
        for (const chunk of Object.values(bundle)) {
          for (const id of [...Object.keys(chunk.modules ?? {}), ...(chunk.originalFileNames ?? [])]) {
            const path = id.split("node_modules/").slice(1);
            const name = path.at(-1)?.match(/^(@[^/]+\/)?[^/?]+/)?.[0];
            if (name) found.add([...path.slice(0, -1), name].join("node_modules/"));
          }
        }
      },
    }),
    write: (file) => ({
      name: "write-packages",
      closeBundle: () => writeFileSync(file, JSON.stringify([...found].sort())),
    }),
  };
}
