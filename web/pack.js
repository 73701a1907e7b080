// Converts the output of vite to the committed files: compresses every file (the binary contains only these) and writes
// the licences and THIRD_PARTY.md, which lists the packages. The build script of each bundle runs it, in its folder.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

function compress(dist) {
  const rows = [];
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const plain = readFileSync(path);
    const packed = brotliCompressSync(plain, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
        [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
      },
    });
    writeFileSync(`${path}.br`, packed);
    rmSync(path);
    const sum = createHash("sha256").update(packed).digest("hex");
    rows.push({ name: `${path.slice(dist.length + 1)}.br`, size: packed.length, sum });
  }
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function describe(place) {
  const folder = join("node_modules", place);
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const text = readdirSync(folder)
    .filter((entry) => /^(licen[cs]e|notice|third-?party-?notices)/i.test(entry))
    .map((entry) => readFileSync(join(folder, entry), "utf8").trim())
    .join("\n\n");
  if (!license) throw new Error(`${name} ${version} names no licence`);
  return { name, version, license, text };
}

// Packages that share a licence text, word for word, are listed above one copy of it.
function licences(packages) {
  const groups = new Map();
  for (const { name, version, license, text } of packages) {
    const body = text === "" ? `${license}; the package carries no text of it.` : text;
    const key = body.replace(/\s+/g, " ");
    if (!groups.has(key)) groups.set(key, { body, names: [] });
    groups.get(key).names.push(`${name} ${version}`);
  }
  const rule = "=".repeat(80);
  return [...groups.values()].map(({ body, names }) => `${rule}\n${names.join(", ")}\n${rule}\n\n${body}\n`).join("\n\n");
}

/**
 * Packs `dist` of the current folder.
 * @param {object} bundle
 * @param {string} bundle.title the title of THIRD_PARTY.md
 * @param {string} bundle.served where the binary serves the licences
 * @param {{ name: string, version: string, license: string, text: string }[]} [bundle.others] parts that are not packages
 */
export function pack({ title, served, others = [] }) {
  const dist = "dist";
  const bundled = JSON.parse(readFileSync("node_modules/.bundled.json", "utf8"));
  if (!existsSync(join(dist, "index.html"))) throw new Error("run vite build first");
  const packages = [...bundled.map(describe), ...others].filter(
    (one, at, all) => all.findIndex((other) => other.name === one.name && other.version === one.version) === at,
  );
  writeFileSync(join(dist, "licenses.txt"), licences(packages));
  const files = compress(dist);

  writeFileSync(
    "THIRD_PARTY.md",
    `# ${title}

Written by \`build.sh\`; do not edit. The files under \`dist\` are what \`package-lock.json\` pins, bundled, and
compressed with brotli at its highest quality. They hold parts of these packages, whose licences are in
\`dist/licenses.txt.br\` and served as \`${served}\`:

| Package | Version | Licence |
|---|---|---|
${packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`).join("\n")}

## Files

| File | Bytes | SHA-256 |
|---|---|---|
${files.map(({ name, size, sum }) => `| ${name} | ${size} | \`${sum}\` |`).join("\n")}
`,
  );
  const total = files.reduce((sum, { size }) => sum + size, 0);
  console.log(`${files.length} files, ${total} bytes, ${packages.length} packages`);
}
