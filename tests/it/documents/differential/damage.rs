//! Damages documents.

use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};

/// Texts that replace a token of a damaged document.
const TOKENS: [&str; 34] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "!",
    "$",
    "@",
    "...",
    "|",
    "=",
    "&",
    "on",
    "null",
    "true",
    "1",
    "-1",
    "1.5",
    "01",
    "1e400",
    "\"x\"",
    "\"\\u{110000}\"",
    "\"\"\"y\\\"\"\"\"\"\"",
    "fragment",
    "query",
    "subscription",
    "# note\n",
    "\u{feff}",
    "$a",
    "@skip(if: true)",
    "...F0",
    "name",
];
/// What GraphQL ignores between tokens.
const IGNORED: [&str; 6] = [" ", "\n", ", ", " # note\n", "\t", "\u{feff} "];

/// Replaces, removes, repeats or swaps some tokens.
pub(super) fn damage(rng: &mut SmallRng, text: &str) -> String {
    let mut tokens: Vec<String> = vec![];
    for word in text.split(' ') {
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let end = if is_word(first) {
                rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
            } else if rest.starts_with("...") {
                3
            } else {
                first.len_utf8()
            };
            tokens.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    for _ in 0..rng.random_range(0..3) {
        let at = rng.random_range(0..tokens.len());
        let other = rng.random_range(0..tokens.len());
        match rng.random_range(0..5) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[other].clone()),
            2 => tokens.swap(at, other),
            _ => (*TOKENS.choose(rng).unwrap()).clone_into(&mut tokens[at]),
        }
        if tokens.is_empty() {
            break;
        }
    }
    let mut damaged = String::new();
    let mut in_string = false;
    for token in tokens {
        in_string ^= token == "\"";
        damaged += &token;
        if !in_string {
            damaged += IGNORED.choose(rng).unwrap();
        }
    }
    damaged
}
