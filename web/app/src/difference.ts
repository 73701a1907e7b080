// The difference of two texts, word by word.

export interface Part {
  kind: "same" | "added" | "removed";
  text: string;
}

/** Texts with more words than this are shown as removed and added: the table would take too long. */
const MAX_WORDS = 1_500;

/** Splits a text into words and what is between them. Scripts without spaces split by the browser's rules. */
function words(text: string): string[] {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}

/** The shortest list of removed and added words that turns `before` into `after`. */
export function difference(before: string, after: string): Part[] {
  const [a, b] = [words(before), words(after)];
  if (a.length > MAX_WORDS || b.length > MAX_WORDS) return [{ kind: "removed", text: before }, { kind: "added", text: after }];
  // lengths[i][j] is the length of the longest common subsequence of a from i and b from j.
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j]
        ? lengths[(i + 1) * width + j + 1]! + 1
        : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const parts: Part[] = [];
  const add = (kind: Part["kind"], text: string) => {
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += text;
    else parts.push({ kind, text });
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add("same", a[i]!);
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!)) {
      add("removed", a[i]!);
      i += 1;
    } else {
      add("added", b[j]!);
      j += 1;
    }
  }
  return parts;
}
