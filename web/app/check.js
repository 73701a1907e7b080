// Checks the types, the unit tests, the sizes, and that a fresh build has the bytes of the committed one. The committed
// files are compared uncompressed, because versions of brotli differ.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, constants, brotliCompressSync } from "node:zlib";

/** The most that the scripts of the client, and those of the console, may have, compressed, in bytes. */
const MAX_SCRIPT = 120 * 1024;

function run(command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) fail(`${command} ${args.join(" ")}\n${stdout}\n${stderr}`);
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

/** The files of a folder, by path, without those that `pack.js` adds. */
function read(folder, decode) {
  const files = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1).replace(/\.br$/, "");
    if (name !== "licenses.txt") files.set(name, decode(readFileSync(path)));
  }
  return files;
}

const fresh = mkdtempSync(join(tmpdir(), "heddle-app-"));
try {
  run("npm", "run", "check");
  run("npm", "test");
  run("npx", "vite", "build", "--outDir", fresh, "--emptyOutDir");
  run("npx", "vite", "build", "--config", "vite.console.config.js", "--outDir", fresh);
  const committed = read("dist", brotliDecompressSync);
  const built = read(fresh, (bytes) => bytes);
  const names = [...new Set([...committed.keys(), ...built.keys()])].sort();
  const different = names.filter((name) => !committed.get(name)?.equals(built.get(name) ?? Buffer.alloc(0)));
  if (different.length) fail(`run build.sh and commit its output: ${different.join(", ")}`);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  for (const part of ["client", "console"]) {
    const isPart = (name) => name.endsWith(".js") && name.startsWith("app/console-") === (part === "console");
    const scripts = [...built].filter(([name]) => isPart(name)).map(([, bytes]) => brotliCompressSync(bytes, { params }).length);
    const size = scripts.reduce((sum, bytes) => sum + bytes, 0);
    console.log(`scripts of the ${part}: ${size} bytes compressed`);
    if (!size || size > MAX_SCRIPT) fail(`the scripts of the ${part} have ${size} bytes, not up to ${MAX_SCRIPT}`);
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
