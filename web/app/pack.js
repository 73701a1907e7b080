// build.sh runs it after vite.
import { readFileSync } from "node:fs";

import { pack } from "../pack.js";

// The font is the file files/inter-latin-wght-normal.woff2 of the package, unchanged.
const font = {
  name: "@fontsource-variable/inter",
  version: "5.3.0",
  license: "OFL-1.1",
  text: readFileSync("src/assets/OFL.txt", "utf8").trim(),
};
pack({ title: "What the web client is made of", served: "/licenses.txt", others: [font] });
