// Bundles the store into one file, so that each import of it has a state of its own.
export default {
  build: {
    ssr: true,
    outDir: "node_modules/.store",
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: { input: { store: "test/store.ts" }, output: { codeSplitting: false } },
  },
  ssr: { noExternal: true },
  logLevel: "warn",
};
