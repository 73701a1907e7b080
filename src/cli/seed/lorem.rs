//! Random names, titles and sentences.

use rand::{Rng, rngs::StdRng};

const FIRST: [&str; 32] = [
    "Ada", "Ben", "Cleo", "Dara", "Emil", "Fay", "Gus", "Hana", "Ines", "Jon", "Kira", "Lev",
    "Mona", "Nils", "Ona", "Piet", "Quin", "Rosa", "Sami", "Tess", "Udo", "Vera", "Wim", "Xenia",
    "Yan", "Zoe", "Abel", "Bea", "Cyra", "Dov", "Eda", "Finn",
];
const LAST: [&str; 24] = [
    "Webster",
    "Carder",
    "Fuller",
    "Dyer",
    "Tucker",
    "Walker",
    "Spinner",
    "Weaver",
    "Sherman",
    "Taylor",
    "Draper",
    "Mercer",
    "Shepherd",
    "Lister",
    "Kember",
    "Challoner",
    "Thrower",
    "Capper",
    "Glover",
    "Hosier",
    "Silkman",
    "Woolman",
    "Linter",
    "Tozer",
];
const WORDS: [&str; 64] = [
    "the", "warp", "and", "weft", "of", "a", "loom", "to", "shuttle", "is", "in", "thread", "it",
    "we", "heddle", "for", "on", "that", "yarn", "with", "reed", "this", "bobbin", "not", "beam",
    "but", "tension", "at", "pattern", "be", "cloth", "or", "edge", "from", "twill", "when",
    "satin", "can", "spool", "has", "treadle", "more", "shed", "looks", "selvage", "again", "knot",
    "tomorrow", "linen", "because", "broken", "already", "finished", "colour", "blue", "madder",
    "indigo", "silk", "wool", "cotton", "maybe", "agreed", "question", "measure",
];
const LONGEST: usize = 32;

/// Returns a first and a last name.
pub(super) fn name(rng: &mut StdRng) -> (&'static str, &'static str) {
    (pick(rng, &FIRST), pick(rng, &LAST))
}

/// Returns a title of three words.
pub(super) fn title(rng: &mut StdRng) -> String {
    let words: Vec<&str> = (0..3).map(|_| pick(rng, &WORDS)).collect();
    capital(&words.join(" "))
}

/// Returns a sentence. Short sentences are more likely.
pub(super) fn sentence(rng: &mut StdRng) -> String {
    let length = 2 + skewed(rng, LONGEST);
    let mut text = String::with_capacity(length * 6);
    for index in 0..length {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(
            WORDS
                .get(skewed(rng, WORDS.len()))
                .copied()
                .unwrap_or("and"),
        );
    }
    text.push('.');
    capital(&text)
}

/// Returns a number below `below`. Small numbers are more likely.
pub(super) fn skewed(rng: &mut StdRng, below: usize) -> usize {
    let one = rng.random_range(0..below);
    one.min(rng.random_range(0..below))
}

fn pick(rng: &mut StdRng, from: &[&'static str]) -> &'static str {
    from.get(rng.random_range(0..from.len()))
        .copied()
        .unwrap_or("x")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
