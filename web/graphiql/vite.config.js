import { bundledPackages } from "./packages.js";

const packages = bundledPackages();

export default {
  // The binary serves these files here, at /graphiql with or without a slash.
  base: "/graphiql/",
  plugins: [packages.collect(), packages.write("node_modules/.bundled.json")],
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
