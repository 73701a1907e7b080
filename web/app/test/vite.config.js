// Bundles the tests, so that node runs them without knowing TypeScript.
export default {
  build: {
    ssr: true,
    outDir: "node_modules/.test",
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: { input: { "unit.test": "test/unit.test.ts" } },
  },
  logLevel: "warn",
};
