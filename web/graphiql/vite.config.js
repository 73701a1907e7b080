import { bundledPackages } from "./packages.js";
import { tabs } from "./src/tabs.js";

const packages = bundledPackages();

// What may change often stays out of the bundle, whose every file is named after its content.
const config = {
  name: "config",
  transformIndexHtml: (html) =>
    html.replace("%config%", () => JSON.stringify({ endpoint: "/graphql", tabs }).replaceAll("<", "\\u003c")),
};

export default {
  // The binary serves these files here, at /graphiql with or without a slash.
  base: "/graphiql/",
  plugins: [config, packages.collect(), packages.write("node_modules/.bundled.json")],
  worker: { format: "es", plugins: () => [packages.collect()] },
  build: {
    // A data: address would need a hole in the content security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 8192,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      onLog(level, log, handle) {
        // "use client" means nothing in a page that has no server side.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
    },
    target: "es2022",
  },
};
