//! A lexer that counts tokens, directives and open brackets. It reads each byte once and never recurses, so that it can
//! reject documents that would exhaust the stack of the parser.

use std::ops::Range;

use super::error::{GuardError, Stage};
use super::limits::Limits;
use super::position::Lines;

/// The keywords of definitions that may have a description.
const DESCRIBED: [&str; 4] = ["query", "mutation", "subscription", "fragment"];

/// The counts of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexed {
    /// The number of lexical tokens.
    pub tokens: u64,
    /// The number of directives.
    pub directives: u64,
    /// The maximum number of brackets that are open at the same position.
    pub nesting: u64,
    /// Where each token starts, in bytes.
    pub starts: Vec<usize>,
    /// What the parser does not accept although it has no meaning: commas, and the descriptions of operations, fragments
    /// and variables. In bytes.
    pub ignored: Vec<Range<usize>>,
    /// The number of steps of the lexer, which is linear in the length of the text.
    pub steps: u64,
}

/// Counts the tokens of `text`. Fails when a count exceeds its limit.
pub fn lex(text: &str, limits: &Limits) -> Result<Lexed, GuardError> {
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    if bytes > limits.bytes {
        return Err(GuardError::limit_exceeded(
            Stage::Parsing,
            "documentBytes",
            limits.bytes,
            bytes,
        ));
    }
    let mut lexer = Lexer {
        text,
        at: 0,
        open: Vec::new(),
        string_end: 0,
        found: Lexed::default(),
        limits,
    };
    while let Some(byte) = lexer.peek(0) {
        lexer.step(byte)?;
    }
    match lexer.open.last() {
        None => Ok(lexer.found),
        Some(_) => Err(lexer.syntax("The document has a bracket that is never closed.")),
    }
}

impl Lexed {
    /// Replaces what the parser does not accept by spaces.
    pub(super) fn without_ignored(&self, text: &str) -> String {
        let mut ignored: Vec<_> = self.ignored.iter().collect();
        ignored.sort_unstable_by_key(|range| range.start);
        let (mut replaced, mut start) = (String::with_capacity(text.len()), 0);
        for range in ignored {
            replaced.push_str(text.get(start..range.start).unwrap_or_default());
            replaced.extend(range.clone().map(|_| ' '));
            start = range.end;
        }
        replaced.push_str(text.get(start..).unwrap_or_default());
        replaced
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// The closing brackets of the open ones, innermost last.
    open: Vec<u8>,
    /// The end of the last string.
    string_end: usize,
    found: Lexed,
    limits: &'a Limits,
}

impl Lexer<'_> {
    fn step(&mut self, byte: u8) -> Result<(), GuardError> {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => self.advance(1),
            b',' => {
                self.found.ignored.push(self.at..self.at + 1);
                self.advance(1);
            }
            b'#' => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
            0xEF if self.starts_with("\u{feff}") => self.advance(3),
            b'"' => return self.string(),
            b'(' => return self.open(b')'),
            b'[' => return self.open(b']'),
            b'{' => return self.open(b'}'),
            b')' | b']' | b'}' => return self.close(byte),
            b'.' if self.starts_with("...") => return self.token(3),
            b'@' => {
                self.found.directives += 1;
                let (allowed, found) = (self.limits.directives, self.found.directives);
                if found > allowed {
                    return Err(GuardError::limit_exceeded(
                        Stage::Parsing,
                        "directives",
                        allowed,
                        found,
                    ));
                }
                return self.token(1);
            }
            b'!' | b'$' | b'&' | b':' | b'=' | b'|' => return self.token(1),
            b'-' | b'0'..=b'9' => {
                self.token(1)?;
                self.skip_while(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_')
                });
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.token(1)?;
                self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            }
            _ => {
                return Err(
                    self.syntax("The document has a character that GraphQL does not allow here.")
                );
            }
        }
        Ok(())
    }

    fn open(&mut self, closing: u8) -> Result<(), GuardError> {
        self.open.push(closing);
        let depth = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        self.found.nesting = self.found.nesting.max(depth);
        if depth > self.limits.nesting {
            return Err(GuardError::limit_exceeded(
                Stage::Parsing,
                "nesting",
                self.limits.nesting,
                depth,
            ));
        }
        self.token(1)
    }

    fn close(&mut self, byte: u8) -> Result<(), GuardError> {
        if self.open.pop() != Some(byte) {
            return Err(self.syntax("A closing bracket does not match the open one."));
        }
        self.token(1)
    }

    fn string(&mut self) -> Result<(), GuardError> {
        let start = self.at;
        if self.starts_with("\"\"\"") {
            self.token(3)?;
            while let Some(byte) = self.peek(0) {
                match byte {
                    b'"' if self.starts_with("\"\"\"") => {
                        self.advance(3);
                        self.string_end = self.at;
                        return Ok(());
                    }
                    b'\\' if self.starts_with("\\\"\"\"") => self.advance(4),
                    _ => self.advance(1),
                }
            }
        } else {
            self.token(1)?;
            while let Some(byte) = self.peek(0) {
                match byte {
                    b'"' => {
                        self.advance(1);
                        self.string_end = self.at;
                        return Ok(());
                    }
                    b'\n' | b'\r' => break,
                    b'\\' if !matches!(self.peek(1), Some(b'\n' | b'\r')) => self.advance(2),
                    _ => self.advance(1),
                }
            }
        }
        self.at = start;
        Err(self.syntax("The document has a string that is never closed."))
    }

    fn token(&mut self, length: usize) -> Result<(), GuardError> {
        self.ignore_description();
        self.found.tokens += 1;
        self.found.starts.push(self.at);
        self.advance(length);
        if self.found.tokens > self.limits.tokens {
            return Err(GuardError::limit_exceeded(
                Stage::Parsing,
                "tokens",
                self.limits.tokens,
                self.found.tokens,
            ));
        }
        Ok(())
    }

    /// Ignores the last string if it is the description of what starts here.
    /// <https://spec.graphql.org/September2025/#sec-Descriptions>
    fn ignore_description(&mut self) {
        let byte = |at: &usize| self.text.as_bytes().get(*at).copied();
        let Some((&string, before)) = self.found.starts.split_last() else {
            return;
        };
        let is_description = match self.open.len() {
            0 => DESCRIBED.iter().any(|keyword| self.starts_with(keyword)),
            // A string may also be the default of the variable before.
            1 => self.peek(0) == Some(b'$') && before.last().and_then(byte) != Some(b'='),
            _ => false,
        };
        if is_description && byte(&string) == Some(b'"') {
            self.found.starts.pop();
            self.found.ignored.push(string..self.string_end);
        }
    }

    fn skip_while(&mut self, predicate: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&predicate) {
            self.advance(1);
        }
    }

    fn advance(&mut self, by: usize) {
        self.at += by;
        self.found.steps += 1;
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn starts_with(&self, prefix: &str) -> bool {
        self.text
            .as_bytes()
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(prefix.as_bytes()))
    }

    fn syntax(&self, message: &str) -> GuardError {
        GuardError::syntax(message, Some(Lines::of(self.text).position(self.at)))
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Pos;

    use super::*;
    use crate::error::Code;

    fn lexed(text: &str) -> Result<Lexed, GuardError> {
        lex(text, &Limits::default())
    }

    fn limit(text: &str) -> &'static str {
        lexed(text).unwrap_err().exceeded.unwrap().limit
    }

    #[test]
    fn tokens_are_counted_and_ignored_characters_are_not() {
        let found = lexed("\u{feff}query Q($a: [Int!] = -1.5e3) { a, b # ] }\n ...F @x }").unwrap();
        assert_eq!(found.tokens, 21);
        assert_eq!(found.directives, 1);
        assert_eq!(found.nesting, 2);
    }

    #[test]
    fn commas_between_tokens_become_spaces() {
        let text = "{ a,: b(c: \",\", d: [1,2]),, # ,\n }";
        let replaced = lexed(text).unwrap().without_ignored(text);
        assert_eq!(replaced, "{ a : b(c: \",\"  d: [1 2])   # ,\n }");
    }

    #[test]
    fn descriptions_become_spaces() {
        let text = "\"a\", query(\"\"\"b\nü\"\"\" $c: Int = 1 \"d\" $e: String = \"f\" $g: Int) { h(i: \"j\" k: $c) }";
        let found = lexed(text).unwrap();
        let expected = text
            .replace("\"a\",", "    ")
            .replace("\"\"\"b\nü\"\"\"", &" ".repeat(10))
            .replace("\"d\"", "   ");
        assert_eq!(found.without_ignored(text), expected);
        assert_eq!(
            found.starts.len() + 3,
            usize::try_from(found.tokens).unwrap()
        );
        for text in ["\"a\" { b }", "{ a(b: \"c\" $d) }", "\"a\" \"b\""] {
            assert_eq!(lexed(text).unwrap().without_ignored(text), text);
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let text = r#"{ a(b: "[[[\"[[", c: """ \""" [[[ """) # [[[[
        }"#;
        assert_eq!(lexed(text).unwrap().nesting, 2);
    }

    #[test]
    fn an_exceeded_limit_is_named() {
        assert_eq!(limit(&" ".repeat(16 * 1024 + 1)), "documentBytes");
        assert_eq!(limit(&"a ".repeat(1001)), "tokens");
        assert_eq!(limit(&"[".repeat(33)), "nesting");
        assert_eq!(limit(&"@a ".repeat(11)), "directives");
    }

    #[test]
    fn documents_at_the_limits_pass() {
        lexed(&"a ".repeat(1000)).unwrap();
        lexed(&format!("{}{}", "[".repeat(32), "]".repeat(32))).unwrap();
        lexed(&"@a ".repeat(10)).unwrap();
    }

    #[test]
    fn syntax_errors_have_a_position() {
        let error = lexed("{ a\n  ü(b: \"open\n }").unwrap_err();
        assert_eq!(error.at, Some(Pos { line: 2, column: 3 }));
        for text in ["{ a ]", "{", "\"", "\"\"\" x", "\"\\", "ü", ".."] {
            let error = lexed(text).unwrap_err();
            assert_eq!(
                (error.code, error.stage),
                (Code::BadUserInput, Stage::Parsing)
            );
            assert!(error.at.is_some(), "{text}");
        }
    }

    #[test]
    fn steps_never_exceed_the_length_in_bytes() {
        for text in ["\"\"\"\\\"\"\"\"\"\"", "# x", "a1_ 1.5", "\"\\\"\""] {
            assert!(lexed(text).unwrap().steps <= u64::try_from(text.len()).unwrap());
        }
    }
}
