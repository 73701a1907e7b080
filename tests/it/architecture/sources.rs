//! Reads the source files of the repository and splits Rust code into tokens, for the tests that verify its structure.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A text file, with its path relative to the repository.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Identifier,
    Comment,
    /// A string, with its delimiters.
    Text,
    /// One character of punctuation.
    Punctuation,
    /// A number, a character or a lifetime.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Line numbers start at 1.
    pub(super) line: usize,
}

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text && matches!(self.kind, Kind::Identifier | Kind::Punctuation)
    }
}

pub(super) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files below these folders whose name ends like this, and the files that are named directly, sorted by
/// path.
pub(super) fn read(paths: &[&str], extension: &str) -> Vec<Source> {
    let mut files = vec![];
    for path in paths {
        collect(&repository().join(path), extension, &mut files);
    }
    files.sort();
    assert!(!files.is_empty(), "no {extension} file in {paths:?}");
    files
        .into_iter()
        .map(|file| Source {
            path: file
                .strip_prefix(repository())
                .unwrap()
                .display()
                .to_string(),
            text: fs::read_to_string(&file).unwrap(),
        })
        .collect()
}

fn collect(path: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        files.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                collect(&path, extension, files);
            }
        } else if path.extension().is_some_and(|end| end == extension) {
            files.push(path);
        }
    }
}

/// Returns the Rust files below this folder, without those of modules that are compiled for unit tests only.
pub(super) fn read_production(folder: &str) -> Vec<Source> {
    let mut files = read(&[folder], "rs");
    let mut test_modules = vec![];
    for file in &files {
        let all = tokens(&file.text);
        for index in 0..all.len() {
            let declares = starts_with(&all[index..], &CFG_TEST)
                && all.get(index + 7).is_some_and(|token| token.is("mod"))
                && all.get(index + 9).is_some_and(|token| token.is(";"));
            if declares {
                let (folder, _) = file.path.rsplit_once('/').unwrap();
                test_modules.push(format!("{folder}/{}", all[index + 8].text));
            }
        }
    }
    files.retain(|file| {
        !test_modules.iter().any(|module| {
            file.path
                .strip_prefix(module)
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    });
    files
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

/// Splits Rust code into tokens. White space is dropped.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = vec![];
    let (mut start, mut line) = (0, 1);
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else {
            let (kind, length) = token(rest, first);
            (Some(kind), length)
        };
        let text = &rest[..length];
        if let Some(kind) = kind {
            tokens.push(Token { kind, text, line });
        }
        line += text.matches('\n').count();
        start += length;
    }
    tokens
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        let end = rest.find("*/").unwrap();
        return (Kind::Comment, end + 2);
    }
    if let Some(length) = string(rest) {
        return (Kind::Text, length);
    }
    if first == '\'' {
        return (Kind::Other, character_or_lifetime(rest));
    }
    if first.is_alphabetic() || first == '_' {
        return (
            Kind::Identifier,
            rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        );
    }
    if first.is_ascii_digit() {
        return (
            Kind::Other,
            rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        );
    }
    (Kind::Punctuation, first.len_utf8())
}

/// Returns the length of the string literal that the text starts with, whether it is plain, raw or of bytes.
fn string(rest: &str) -> Option<usize> {
    let literal = rest
        .trim_start_matches(['b', 'c'])
        .get(..)
        .filter(|after| rest.len() - after.len() <= 1)?;
    let prefix = rest.len() - literal.len();
    if let Some(raw) = literal.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inner = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inner.find(&end).unwrap();
        return Some(prefix + 1 + hashes + 1 + length + end.len());
    }
    let inner = literal.strip_prefix('"')?;
    let mut escaped = false;
    for (index, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some(prefix + 1 + index + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    panic!("the string ends")
}

fn character_or_lifetime(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next().unwrap();
    if first == '\\' {
        let end = rest[3..].find('\'').unwrap();
        return 3 + end + 1;
    }
    match characters.next() {
        Some((index, '\'')) => index + 1,
        _ => rest[1..]
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(rest.len(), |length| 1 + length),
    }
}

/// Returns the tokens without comments and without the items that are compiled for unit tests only.
pub(super) fn production<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let code: Vec<Token<'a>> = tokens
        .iter()
        .filter(|token| token.kind != Kind::Comment)
        .copied()
        .collect();
    let mut kept = vec![];
    let mut index = 0;
    while index < code.len() {
        if starts_with(&code[index..], &CFG_TEST) {
            index = end_of_item(&code, index);
        } else {
            kept.push(code[index]);
            index += 1;
        }
    }
    kept
}

pub(super) fn starts_with(code: &[Token<'_>], texts: &[&str]) -> bool {
    code.len() >= texts.len() && texts.iter().zip(code).all(|(text, token)| token.is(text))
}

/// Returns the index after the item, with its attributes, that starts here: after the `;` or the brace that ends it.
fn end_of_item(code: &[Token<'_>], start: usize) -> usize {
    let mut depth = 0_u32;
    for (index, token) in code.iter().enumerate().skip(start) {
        if token.kind != Kind::Punctuation {
            continue;
        }
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    code.len()
}
