//! One pass over a document's bytes that counts tokens, directives and open brackets. It never recurses and looks at
//! each byte once, so that nothing behind it meets a document which could exhaust a stack.

use async_graphql::Pos;

use super::error::{GuardError, Stage};
use super::limits::Limits;

/// What one pass over the text found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lexed {
    /// Lexical tokens.
    pub tokens: u64,
    /// Directives, wherever they stand.
    pub directives: u64,
    /// The most brackets open at once.
    pub nesting: u64,
    /// Steps taken, which grow with the text and with nothing else.
    pub steps: u64,
}

/// Reads `text` as tokens and refuses it when it goes over a limit.
pub fn lex(text: &str, limits: &Limits) -> Result<Lexed, GuardError> {
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    if bytes > limits.bytes {
        return Err(GuardError::excess(
            Stage::Reading,
            "documentBytes",
            limits.bytes,
            bytes,
        ));
    }
    let mut lexer = Lexer {
        text,
        at: 0,
        open: Vec::new(),
        found: Lexed::default(),
        limits,
    };
    while let Some(byte) = lexer.peek(0) {
        lexer.step(byte)?;
    }
    match lexer.open.last() {
        None => Ok(lexer.found),
        Some(_) => Err(lexer.syntax("A bracket is never closed.")),
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// The brackets that would close those now open, innermost last.
    open: Vec<u8>,
    found: Lexed,
    limits: &'a Limits,
}

impl Lexer<'_> {
    fn step(&mut self, byte: u8) -> Result<(), GuardError> {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => self.advance(1),
            b'#' => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
            0xEF if self.looks_at("\u{feff}") => self.advance(3),
            b'"' => return self.string(),
            b'(' => return self.opens(b')'),
            b'[' => return self.opens(b']'),
            b'{' => return self.opens(b'}'),
            b')' | b']' | b'}' => return self.closes(byte),
            b'.' if self.looks_at("...") => return self.token(3),
            b'@' => {
                self.found.directives += 1;
                let (allowed, found) = (self.limits.directives, self.found.directives);
                if found > allowed {
                    return Err(GuardError::excess(
                        Stage::Reading,
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
            _ => return Err(self.syntax("A character has no meaning here.")),
        }
        Ok(())
    }

    fn opens(&mut self, closing: u8) -> Result<(), GuardError> {
        self.open.push(closing);
        let depth = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        self.found.nesting = self.found.nesting.max(depth);
        if depth > self.limits.nesting {
            return Err(GuardError::excess(
                Stage::Reading,
                "nesting",
                self.limits.nesting,
                depth,
            ));
        }
        self.token(1)
    }

    fn closes(&mut self, byte: u8) -> Result<(), GuardError> {
        if self.open.pop() != Some(byte) {
            return Err(self.syntax("A bracket closes what was not opened."));
        }
        self.token(1)
    }

    fn string(&mut self) -> Result<(), GuardError> {
        let opened = self.at;
        if self.looks_at("\"\"\"") {
            self.token(3)?;
            while let Some(byte) = self.peek(0) {
                match byte {
                    b'"' if self.looks_at("\"\"\"") => {
                        self.advance(3);
                        return Ok(());
                    }
                    b'\\' if self.looks_at("\\\"\"\"") => self.advance(4),
                    _ => self.advance(1),
                }
            }
        } else {
            self.token(1)?;
            while let Some(byte) = self.peek(0) {
                match byte {
                    b'"' => {
                        self.advance(1);
                        return Ok(());
                    }
                    b'\n' | b'\r' => break,
                    b'\\' if !matches!(self.peek(1), Some(b'\n' | b'\r')) => self.advance(2),
                    _ => self.advance(1),
                }
            }
        }
        self.at = opened;
        Err(self.syntax("A string is never closed."))
    }

    fn token(&mut self, length: usize) -> Result<(), GuardError> {
        self.found.tokens += 1;
        self.advance(length);
        if self.found.tokens > self.limits.tokens {
            return Err(GuardError::excess(
                Stage::Reading,
                "tokens",
                self.limits.tokens,
                self.found.tokens,
            ));
        }
        Ok(())
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
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

    fn looks_at(&self, what: &str) -> bool {
        self.text
            .as_bytes()
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(what.as_bytes()))
    }

    fn syntax(&self, message: &str) -> GuardError {
        GuardError::syntax(message, Some(position(self.text, self.at)))
    }
}

/// Line and column, both from 1, of a byte in `text`.
fn position(text: &str, at: usize) -> Pos {
    let mut pos = Pos { line: 1, column: 1 };
    for (index, character) in text.char_indices() {
        if index >= at {
            break;
        }
        if character == '\n' {
            pos = Pos {
                line: pos.line + 1,
                column: 1,
            };
        } else {
            pos.column += 1;
        }
    }
    pos
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn of(text: &str) -> Result<Lexed, GuardError> {
        lex(text, &Limits::default())
    }

    fn limit(text: &str) -> &'static str {
        of(text).unwrap_err().excess.unwrap().limit
    }

    #[test]
    fn tokens_are_counted_and_ignored_characters_are_not() {
        let found = of("\u{feff}query Q($a: [Int!] = -1.5e3) { a, b # ] }\n ...F @x }").unwrap();
        assert_eq!(found.tokens, 21);
        assert_eq!(found.directives, 1);
        assert_eq!(found.nesting, 2);
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let text = r#"{ a(b: "[[[\"[[", c: """ \""" [[[ """) # [[[[
        }"#;
        assert_eq!(of(text).unwrap().nesting, 2);
    }

    #[test]
    fn each_limit_is_named() {
        assert_eq!(limit(&" ".repeat(16 * 1024 + 1)), "documentBytes");
        assert_eq!(limit(&"a ".repeat(1001)), "tokens");
        assert_eq!(limit(&"[".repeat(33)), "nesting");
        assert_eq!(limit(&"@a ".repeat(11)), "directives");
    }

    #[test]
    fn what_is_just_allowed_passes() {
        of(&"a ".repeat(1000)).unwrap();
        of(&format!("{}{}", "[".repeat(32), "]".repeat(32))).unwrap();
        of(&"@a ".repeat(10)).unwrap();
    }

    #[test]
    fn the_place_of_a_fault_is_told() {
        let refusal = of("{ a\n  ü(b: \"open\n }").unwrap_err();
        assert_eq!(refusal.at, Some(Pos { line: 2, column: 3 }));
        for text in ["{ a ]", "{", "\"", "\"\"\" x", "\"\\", "ü", ".."] {
            let refusal = of(text).unwrap_err();
            assert_eq!(
                (refusal.code, refusal.stage),
                (Code::BadUserInput, Stage::Reading)
            );
            assert!(refusal.at.is_some(), "{text}");
        }
    }

    #[test]
    fn the_steps_never_outnumber_the_bytes() {
        for text in ["\"\"\"\\\"\"\"\"\"\"", "# x", "a1_ 1.5", "\"\\\"\""] {
            assert!(of(text).unwrap().steps <= u64::try_from(text.len()).unwrap());
        }
    }
}
