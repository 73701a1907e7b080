// What the builds of the client and of the console have in common.
import { readFileSync } from "node:fs";
import { buildSchema, parse, specifiedRules, validate } from "graphql";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

/** Fails the build if an operation in these files does not match the schema. */
export const operations = (...files) => ({
  name: "operations",
  buildStart() {
    const texts = files.flatMap((file) => [...read(file).matchAll(/graphql\(`([^`]*)`/g)].map(([, text]) => text));
    const errors = validate(buildSchema(read("../../schema.graphql")), parse(texts.join("\n")), specifiedRules);
    if (errors.length) this.error(errors.map((error) => error.toString()).join("\n\n"));
  },
});

/** Puts the icons into the page, so that no script has to. */
export const icons = {
  name: "icons",
  transformIndexHtml(html) {
    const sprite = read("src/assets/icons.svg");
    return html.replace("%icons%", () => sprite.replace(/^<\?xml[^>]*>\s*/, "").replace("<svg", "<svg hidden").replaceAll("\n", ""));
  },
};

/** The options of `build` that do not differ. */
export const build = {
  assetsDir: "app",
  // A data: address would need an exception in the content security policy.
  assetsInlineLimit: 0,
  modulePreload: { polyfill: false },
  reportCompressedSize: false,
  target: "es2022",
  // Older browsers know neither light-dark() nor nesting; nothing is converted for them.
  cssTarget: ["chrome123", "firefox120", "safari17.5"],
};
