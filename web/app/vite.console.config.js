// The console at /admin: its own bundle, in the folder of the client's.
import { build, icons, operations } from "./vite.plugins.js";

export default {
  base: "/",
  plugins: [operations("src/console/operations.ts", "src/operations.ts"), icons],
  build: {
    ...build,
    emptyOutDir: false,
    rolldownOptions: {
      input: { console: "console.html" },
      output: { entryFileNames: "app/[name]-[hash].js", chunkFileNames: "app/console-[name]-[hash].js" },
    },
  },
};
