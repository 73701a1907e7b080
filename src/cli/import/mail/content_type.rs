//! Reads the fields Content-Type and Content-Disposition.

use super::{charset, fields::Fields, transfer};

/// The value of such a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentType {
    /// The type in lower case, such as `text/plain` or `attachment`.
    pub value: String,
    /// The names, in lower case, and the values of its parameters.
    parameters: Vec<(String, String)>,
}

impl ContentType {
    /// Reads the type of a part. RFC 2045 section 5.2: a type that is not valid is plain text.
    #[must_use]
    pub fn of(fields: &Fields, default: &str) -> Self {
        let mut found = fields
            .raw("content-type")
            .map(Self::read)
            .unwrap_or_default();
        let is_valid = |value: &str| {
            let mut halves = value.split('/');
            let is_half = |half: Option<&str>| half.is_some_and(|half| !half.is_empty());
            is_half(halves.next()) && is_half(halves.next()) && halves.next().is_none()
        };
        if !is_valid(&found.value) {
            let default = if found.value.is_empty() {
                default
            } else {
                "text/plain"
            };
            default.clone_into(&mut found.value);
        }
        found
    }

    /// Reads the disposition of a part.
    #[must_use]
    pub fn disposition(fields: &Fields) -> Self {
        fields
            .raw("content-disposition")
            .map(Self::read)
            .unwrap_or_default()
    }

    /// Returns the value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(found, _)| found == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn read(field: &[u8]) -> Self {
        let field = charset::decode(field, None, None);
        let mut pieces = pieces(&field).into_iter();
        let value: String = pieces
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|char| !char.is_whitespace())
            .collect();
        let mut read = Self {
            value: value.to_lowercase(),
            parameters: vec![],
        };
        for piece in pieces {
            if let Some((name, value)) = piece.split_once('=') {
                read.add(&name.trim().to_lowercase(), &unquoted(value));
            }
        }
        read
    }

    /// Adds a parameter. RFC 2231: `name*` is encoded, and `name*0`, `name*1` … are pieces of one value.
    fn add(&mut self, name: &str, value: &str) {
        let (name, is_encoded) = match name.strip_suffix('*') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (name, piece) = match name.split_once('*') {
            Some((name, number)) => (name, number.parse::<u32>().ok()),
            None => (name, None),
        };
        let value = if is_encoded {
            decoded(value)
        } else {
            value.to_owned()
        };
        match self.parameters.iter_mut().find(|(found, _)| found == name) {
            Some((_, before)) if piece.is_some_and(|piece| piece > 0) => before.push_str(&value),
            Some(_) => {}
            None => self.parameters.push((name.to_owned(), value)),
        }
    }
}

/// Splits a field at semicolons outside quotes. A quote that is never closed is an ordinary character.
fn pieces(field: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = field;
    while let Some(char) = rest.chars().next() {
        let (_, tail) = rest.split_at(char.len_utf8());
        rest = tail;
        let quoted_end = if char == '"' {
            end_of_quote(tail)
        } else {
            None
        };
        let Some(piece) = pieces.last_mut() else {
            break;
        };
        match (char, quoted_end) {
            (_, Some(end)) => {
                let (inner, tail) = tail.split_at(end);
                piece.push('"');
                piece.push_str(inner);
                rest = tail;
            }
            (';', None) => pieces.push(String::new()),
            (char, None) => piece.push(char),
        }
    }
    pieces
}

/// Returns the position after the closing quote.
fn end_of_quote(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"') else {
        // A comment may follow: `charset=us-ascii (plain)`.
        return value
            .split(" (")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
    };
    let end = end_of_quote(inner).map_or(inner.len(), |end| end - 1);
    let mut text = String::with_capacity(end);
    let mut chars = inner.split_at(end).0.chars();
    while let Some(char) = chars.next() {
        text.push(if char == '\\' {
            chars.next().unwrap_or(char)
        } else {
            char
        });
    }
    text
}

/// Decodes `charset'language'text` with its percent signs.
fn decoded(value: &str) -> String {
    let mut halves = value.splitn(3, '\'');
    let (charset, text) = match (halves.next(), halves.next(), halves.next()) {
        (Some(charset), Some(_), Some(text)) => (Some(charset), text),
        _ => (None, value),
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let byte = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(transfer::hexadecimal);
        rest = match byte {
            Some(_) => tail.get(2..).unwrap_or_default(),
            None => tail,
        };
        bytes.push(byte.unwrap_or(*first));
    }
    charset::decode(&bytes, charset, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_and_parameters_are_read() {
        for (field, value, boundary) in [
            ("text/plain", "text/plain", None),
            ("Text / Plain; boundary=a", "text/plain", Some("a")),
            (
                "multipart/mixed; boundary=\"a;b\\\"c\"; x=y",
                "multipart/mixed",
                Some("a;b\"c"),
            ),
            (
                "multipart/mixed; BOUNDARY = a (comment)",
                "multipart/mixed",
                Some("a"),
            ),
            (
                "multipart/mixed; boundary=\"a",
                "multipart/mixed",
                Some("a"),
            ),
            (
                "multipart/mixed; name=\"a; boundary=b",
                "multipart/mixed",
                Some("b"),
            ),
            (
                "multipart/mixed; boundary*=us-ascii'en'a%3Db",
                "multipart/mixed",
                Some("a=b"),
            ),
            (
                "multipart/mixed; boundary*0=a; boundary*1=b",
                "multipart/mixed",
                Some("ab"),
            ),
            ("multipart/mixed; boundary=", "multipart/mixed", None),
            ("", "", None),
        ] {
            let read = ContentType::read(field.as_bytes());
            assert_eq!(
                (read.value.as_str(), read.parameter("boundary")),
                (value, boundary),
                "{field}"
            );
        }
    }

    #[test]
    fn types_that_are_not_valid_are_plain_text() {
        for field in ["text", "plain", "text/", "/plain", "a/b/c", "=?utf-8?Q?x?="] {
            let header = format!("Content-Type: {field}; charset=x\n\n");
            let (fields, _) = Fields::read(header.as_bytes());
            let read = ContentType::of(&fields, "message/rfc822");
            assert_eq!(
                (read.value.as_str(), read.parameter("charset")),
                ("text/plain", Some("x")),
                "{field}"
            );
        }
        for header in [
            "A: 1\n\n",
            "Content-Type:\n\n",
            "Content-Type: ;charset=x\n\n",
        ] {
            let (fields, _) = Fields::read(header.as_bytes());
            assert_eq!(
                ContentType::of(&fields, "message/rfc822").value,
                "message/rfc822",
                "{header}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_field_is_read(field in "[a-c/;=\"\\\\*'% ]{0,40}|\\PC{0,40}") {
            let _ = ContentType::read(field.as_bytes());
        }
    }
}
