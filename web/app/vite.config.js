import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { bundledPackages } from "../graphiql/packages.js";
import { build, icons, operations } from "./vite.plugins.js";

const packages = bundledPackages();

/** A second page for development mode: the client reads the attribute, and shows a link to GraphiQL. */
const development = {
  name: "development",
  enforce: "post",
  generateBundle(_options, bundle) {
    const source = String(bundle["index.html"].source).replace("<html ", '<html data-mode="development" ');
    this.emitFile({ type: "asset", fileName: "development.html", source });
  },
};

/** Makes the client installable: the manifest with its icons, and what the service worker stores. */
const shell = {
  name: "shell",
  enforce: "post",
  transformIndexHtml: {
    order: "post",
    handler: () => [{ tag: "link", attrs: { rel: "manifest", href: "/manifest.webmanifest" }, injectTo: "head" }],
  },
  generateBundle(_options, bundle) {
    const icon = (size) => {
      const source = readFileSync(new URL(`src/assets/icon-${size}.png`, import.meta.url));
      return this.getFileName(this.emitFile({ type: "asset", name: `icon-${size}.png`, source }));
    };
    const icons = [192, 512].flatMap((size) =>
      ["any", "maskable"].map((purpose) => ({ src: `/${icon(size)}`, sizes: `${size}x${size}`, type: "image/png", purpose })),
    );
    const manifest = {
      id: "/", name: "Heddle", short_name: "Heddle", description: "Conversations with threads of any depth",
      start_url: "/", scope: "/", display: "standalone", background_color: "#f4f1ed", theme_color: "#f4f1ed", icons,
    };
    this.emitFile({ type: "asset", fileName: "manifest.webmanifest", source: JSON.stringify(manifest) });
    const files = Object.keys(bundle).filter((name) => name.startsWith("app/") && !name.endsWith(".png")).sort();
    const entry = files.find((name) => bundle[name].isEntry);
    const version = createHash("sha256").update(bundle["index.html"].source).update(files.join()).digest("hex").slice(0, 16);
    const paths = JSON.stringify(files.map((name) => `/${name}`));
    const worker = bundle["sw.js"];
    worker.code = `const VERSION=${JSON.stringify(version)},ENTRY=${JSON.stringify(`/${entry}`)},FILES=${paths};${worker.code}`;
  },
};

export default {
  base: "/",
  plugins: [operations("src/operations.ts"), icons, development, shell, packages.collect(), packages.write("node_modules/.bundled.json")],
  build: {
    ...build,
    rolldownOptions: {
      input: { index: "index.html", sw: "src/worker.js" },
      // The browser looks for a newer service worker at the same address.
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "app/[name]-[hash].js") },
    },
  },
  server: {
    port: 5717,
    proxy: { "/graphql": { target: process.env.HEDDLE_URL ?? "http://127.0.0.1:8000", ws: true } },
  },
};
