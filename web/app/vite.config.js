import { readFileSync } from "node:fs";
import { buildSchema, parse, specifiedRules, validate } from "graphql";

import { bundledPackages } from "../graphiql/packages.js";

const packages = bundledPackages();

/** Fails the build if an operation does not match the schema. */
const operations = {
  name: "operations",
  buildStart() {
    const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
    const texts = [...read("src/operations.ts").matchAll(/graphql\(`([^`]*)`/g)].map(([, text]) => text);
    const errors = validate(buildSchema(read("../../schema.graphql")), parse(texts.join("\n")), specifiedRules);
    if (errors.length) this.error(errors.map((error) => error.toString()).join("\n\n"));
  },
};

/** Puts the icons into the page, so that no script has to. */
const icons = {
  name: "icons",
  transformIndexHtml(html) {
    const sprite = readFileSync(new URL("src/assets/icons.svg", import.meta.url), "utf8");
    return html.replace("%icons%", () => sprite.replace(/^<\?xml[^>]*>\s*/, "").replace("<svg", "<svg hidden").replaceAll("\n", ""));
  },
};

/** A second page for development mode: the client reads the attribute, and shows a link to GraphiQL. */
const development = {
  name: "development",
  enforce: "post",
  generateBundle(_options, bundle) {
    const source = String(bundle["index.html"].source).replace("<html ", '<html data-mode="development" ');
    this.emitFile({ type: "asset", fileName: "development.html", source });
  },
};

export default {
  base: "/",
  plugins: [operations, icons, development, packages.collect(), packages.write("node_modules/.bundled.json")],
  build: {
    assetsDir: "app",
    // A data: address would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    target: "es2022",
    // Older browsers know neither light-dark() nor nesting; nothing is converted for them.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
  },
  server: {
    port: 5717,
    proxy: { "/graphql": { target: process.env.HEDDLE_URL ?? "http://127.0.0.1:8000", ws: true } },
  },
};
