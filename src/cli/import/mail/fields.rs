//! Reads the header of a mail or of a part: its fields, and where its body begins.

use super::encoded_word;

/// Names that occur in almost every header. Only lines that precede one of these are taken for a damaged header.
const COMMON: &[&str] = &[
    "from",
    "date",
    "subject",
    "to",
    "cc",
    "sender",
    "reply-to",
    "message-id",
    "received",
    "return-path",
    "delivered-to",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "in-reply-to",
    "references",
    "status",
    "x-status",
    "x-mozilla-status",
    "x-uidl",
    "x-gmail-labels",
    "x-gm-thrid",
    "x-mailer",
    "x-from-line",
    "x-original-to",
    "lines",
    "newsgroups",
    "organization",
];

/// The maximum number of lines that are read to recognise a header.
pub const MAX_LINES_AHEAD: usize = 200;

/// The fields of a header, in their order.
#[derive(Debug, Default)]
pub struct Fields {
    /// Names in lower case, with the value on one line.
    fields: Vec<(String, Vec<u8>)>,
}

impl Fields {
    /// Reads the header of a mail. Blank lines above it are skipped.
    #[must_use]
    pub fn read_mail(bytes: &[u8]) -> (Self, &[u8]) {
        Self::read(skip_blank_lines(bytes))
    }

    /// Reads the header at the start of these bytes. Also returns the body: what follows the first blank line, or the
    /// first line that cannot belong to a header.
    #[must_use]
    pub fn read(bytes: &[u8]) -> (Self, &[u8]) {
        let mut rest = bytes;
        let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
        loop {
            let (line, tail) = split_line(rest);
            if line.is_empty() {
                return (Self { fields }, tail);
            }
            let is_folded = line.starts_with(b" ") || line.starts_with(b"\t");
            if let Some((name, value)) = field(line) {
                fields.push((name, value.trim_ascii().to_vec()));
            } else if is_folded && line.trim_ascii().is_empty() && !begins_header(tail) {
                // A blank line with space in it.
                return (Self { fields }, tail);
            } else if is_folded && !fields.is_empty() || !is_from_line(line) && begins_header(tail)
            {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
            } else if !is_from_line(line) {
                return (Self { fields }, rest);
            }
            rest = tail;
        }
    }

    /// Whether there is a field that occurs in almost every header.
    #[must_use]
    pub fn has_common(&self) -> bool {
        self.fields
            .iter()
            .any(|(name, _)| COMMON.contains(&name.as_str()))
    }

    /// Whether there is no field.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the first field with this name, undecoded.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        let found = self.fields.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_slice())
    }

    /// Returns all fields with this name, undecoded.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_slice())
    }

    /// Returns the first field with this name as text, with encoded words decoded.
    #[must_use]
    pub fn text(&self, name: &str, charset: Option<&str>) -> Option<String> {
        self.raw(name)
            .map(|value| encoded_word::decode(value, charset))
    }
}

/// Whether these bytes begin with a header: with lines up to a blank one that are all fields, one of them common.
#[must_use]
pub fn begins_header(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut is_common = false;
    let mut is_first = true;
    for _ in 0..MAX_LINES_AHEAD {
        let (line, tail) = split_line(rest);
        if line.trim_ascii().is_empty() {
            return is_common;
        }
        match field(line) {
            Some((name, _)) => is_common = is_common || COMMON.contains(&name.as_str()),
            None if is_from_line(line) => {}
            None if !is_first && (line.starts_with(b" ") || line.starts_with(b"\t")) => {}
            None => return false,
        }
        is_first = false;
        rest = tail;
    }
    is_common
}

/// Splits a line of a header into its name, in lower case, and its value.
#[must_use]
pub fn field(line: &[u8]) -> Option<(String, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let name = name.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    let name = std::str::from_utf8(name).ok().filter(|_| is_name)?;
    Some((name.to_ascii_lowercase(), value.strip_prefix(b":")?))
}

/// Whether a line was added by a mailbox or a transport inside the header.
fn is_from_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

fn skip_blank_lines(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    loop {
        let (line, tail) = split_line(rest);
        if !line.trim_ascii().is_empty() || tail.is_empty() {
            // Without a header below them, the blank lines end an empty header.
            return if begins_header(rest) { rest } else { bytes };
        }
        rest = tail;
    }
}

/// Splits the first line off. It does not include its end.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn reads(bytes: &str, expected: &[(&str, &str)], body: &str) {
        let (fields, rest) = Fields::read(bytes.as_bytes());
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(fields.fields, expected, "{bytes:?}");
        assert_eq!(rest, body.as_bytes(), "{bytes:?}");
    }

    #[test]
    fn fields_end_at_a_blank_line() {
        reads(
            "A: 1\nB:2\r\n\r\nbody\n",
            &[("a", "1"), ("b", "2")],
            "body\n",
        );
        reads(
            "Subject: one\n two\n\tthree\n\nx",
            &[("subject", "one two three")],
            "x",
        );
        reads("A : 1\nB:\n\nx", &[("a", "1"), ("b", "")], "x");
        reads("A: 1\n \nbody", &[("a", "1")], "body");
        assert!(begins_header(b"From: a@x\n \nbody"));
        reads("A: 1", &[("a", "1")], "");
        reads("\nbody", &[], "body");
        reads("", &[], "");
    }

    #[test]
    fn a_header_without_a_blank_line_below_loses_no_text() {
        reads(
            "A: 1\nHello,\nNote: this\n",
            &[("a", "1")],
            "Hello,\nNote: this\n",
        );
        reads("Hello\n\nyou", &[], "Hello\n\nyou");
    }

    #[test]
    fn damaged_lines_do_not_end_a_header() {
        reads(
            "Subject: a long\nsubject\nFrom: a@x\n\nx",
            &[("subject", "a long subject"), ("from", "a@x")],
            "x",
        );
        reads(">From a@x Mon\nFrom b@x Mon\nA: 1\n\nx", &[("a", "1")], "x");
        let (fields, body) = Fields::read_mail(b"\n\nFrom: a@x\n\nx");
        assert_eq!(
            (fields.raw("from"), body),
            (Some(b"a@x".as_slice()), b"x".as_slice())
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text in "([A-Za-z:> \n\r\t]|From ){0,60}") {
            let (_, body) = Fields::read(text.as_bytes());
            prop_assert!(text.as_bytes().ends_with(body));
        }
    }
}
