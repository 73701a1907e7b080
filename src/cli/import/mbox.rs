//! Splits an mbox file into mails, one at a time. Does not parse the mails.

use std::io::{self, BufRead, Read};

use chrono::{DateTime, NaiveDateTime, Utc};

/// Maximum size of a mail. A larger one is skipped, so that an invalid file cannot exhaust the memory.
const MAX_MAIL_BYTES: usize = 32 * 1024 * 1024;

/// Maximum bytes of one read. A longer line is read in pieces.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// One mail of the file, unparsed.
#[derive(Debug)]
pub struct MboxEntry {
    /// The number of the mail in the file, from 1; 0 for text before the first mail.
    pub ordinal: u64,
    /// The byte offset of its `From ` line.
    pub offset: u64,
    /// The time on its `From ` line, which is usually that of delivery.
    pub delivered_at: Option<DateTime<Utc>>,
    /// The bytes of the mail, or the reason why they are missing.
    pub content: Result<Vec<u8>, &'static str>,
}

/// Iterates over the mails of a file. Supports both conventions for quoting `From ` at the start of a line: `>` is added
/// to all such lines, or only to unquoted ones.
#[derive(Debug)]
pub struct Mbox<R> {
    reader: R,
    line: Vec<u8>,
    /// Position after `line`.
    position: u64,
    ordinal: u64,
    /// The `From ` line that ended the previous mail: its position and time.
    opened: Option<(u64, Option<DateTime<Utc>>)>,
    at_line_start: bool,
    after_blank: bool,
}

impl<R: BufRead> Mbox<R> {
    /// Reads from the start of a file, or from the `From ` line at `position`.
    pub const fn new(reader: R, position: u64) -> Self {
        Self {
            reader,
            line: Vec::new(),
            position,
            ordinal: 0,
            opened: None,
            at_line_start: true,
            after_blank: true,
        }
    }

    /// Bytes read so far.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Reads up to the end of the line. False at the end of the file.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let read = self
            .reader
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut self.line)?;
        self.position = self
            .position
            .saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read > 0)
    }

    /// Reads a mail up to the next `From ` line, which starts the next mail.
    fn read_mail(&mut self) -> io::Result<Result<Vec<u8>, &'static str>> {
        let mut mail = Vec::new();
        let mut too_large = false;
        while self.read_line()? {
            let whole_line = self.at_line_start;
            self.at_line_start = self.line.ends_with(b"\n");
            if whole_line && self.after_blank && is_separator(&self.line) {
                let length = u64::try_from(self.line.len()).unwrap_or(u64::MAX);
                self.opened = Some((self.position - length, delivery_time(&self.line)));
                break;
            }
            self.after_blank = whole_line && matches!(self.line.as_slice(), b"\n" | b"\r\n");
            let text = if whole_line {
                unquoted(&self.line)
            } else {
                &self.line
            };
            too_large = too_large || mail.len() + text.len() > MAX_MAIL_BYTES;
            if !too_large {
                mail.extend_from_slice(text);
            }
        }
        trim_blank_line(&mut mail);
        Ok(if too_large {
            Err("larger than 32 MiB")
        } else {
            Ok(mail)
        })
    }
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = io::Result<MboxEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let opened = self.opened.take();
        let (offset, delivered_at) = opened.unwrap_or((self.position, None));
        let content = match self.read_mail() {
            Ok(content) => content,
            Err(error) => return Some(Err(error)),
        };
        if opened.is_some() {
            self.ordinal += 1;
            return Some(Ok(MboxEntry {
                ordinal: self.ordinal,
                offset,
                delivered_at,
                content,
            }));
        }
        // Before the first `From ` line.
        let has_text = content
            .as_deref()
            .map_or(true, |text| !text.trim_ascii().is_empty());
        if has_text {
            let content = Err("text before the first mail");
            return Some(Ok(MboxEntry {
                ordinal: 0,
                offset,
                delivered_at,
                content,
            }));
        }
        if self.opened.is_some() {
            self.next()
        } else {
            None
        }
    }
}

/// Whether a line after a blank one starts a mail. A time and a year must follow, because texts may also contain
/// unquoted lines that start with `From `.
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    let digits = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    let mut words = rest.split(u8::is_ascii_whitespace);
    let has_time = words.clone().any(|word| {
        let parts: Vec<&[u8]> = word.split(|byte| *byte == b':').collect();
        (2..=3).contains(&parts.len()) && parts.iter().all(|part| part.len() <= 2 && digits(part))
    });
    has_time && words.any(|word| word.len() == 4 && digits(word))
}

fn unquoted(line: &[u8]) -> &[u8] {
    let marks = line.iter().take_while(|byte| **byte == b'>').count();
    if line.split_at(marks).1.starts_with(b"From ") {
        line.strip_prefix(b">").unwrap_or(line)
    } else {
        line
    }
}

/// The blank line before a `From ` line belongs to the format, not to the mail.
fn trim_blank_line(mail: &mut Vec<u8>) {
    for end in [b"\n\r\n".as_slice(), b"\n\n"] {
        if mail.ends_with(end) {
            mail.truncate(mail.len() - end.len() + 1);
            return;
        }
    }
}

fn delivery_time(line: &[u8]) -> Option<DateTime<Utc>> {
    let line = String::from_utf8_lossy(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let day = |word: &&str| matches!(*word, "Mon" | "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun");
    let start = words.iter().rposition(day)?;
    let text = words.get(start + 1..)?.join(" ");
    for format in ["%b %d %H:%M:%S %Y", "%b %d %H:%M %Y"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(&text, format) {
            return Some(time.and_utc());
        }
    }
    for format in ["%b %d %H:%M:%S %z %Y", "%b %d %H:%M:%S %Y %z"] {
        if let Ok(time) = DateTime::parse_from_str(&text, format) {
            return Some(time.to_utc());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(u64, u64, Result<String, &'static str>)> {
        Mbox::new(text.as_bytes(), 0)
            .map(|entry| entry.expect("reading from memory"))
            .map(|entry| {
                let content = entry
                    .content
                    .map(|mail| String::from_utf8_lossy(&mail).into_owned());
                (entry.ordinal, entry.offset, content)
            })
            .collect()
    }

    const FROM: &str = "From a@example.com Fri Nov 20 22:28:40 2026\n";

    #[test]
    fn mails_are_split_at_from_lines_after_a_blank_line() {
        let text = format!("{FROM}A: 1\n\nhello\nFrom here on 12:30 in 2026\n\n{FROM}B: 2\n\n");
        assert_eq!(
            read(&text),
            [
                (
                    1,
                    0,
                    Ok("A: 1\n\nhello\nFrom here on 12:30 in 2026\n".to_owned())
                ),
                (2, 84, Ok("B: 2\n".to_owned())),
            ]
        );
    }

    #[test]
    fn an_unquoted_from_in_the_text_does_not_split() {
        let text = format!("{FROM}A: 1\n\nhello\n\nFrom my point of view, no.\n");
        assert_eq!(read(&text).len(), 1);
    }

    #[test]
    fn quoted_from_lines_lose_one_mark() {
        let text = format!("{FROM}A: 1\n\n>From me\n>>From you\n> From them\n>Fromage\n");
        assert_eq!(
            read(&text),
            [(
                1,
                0,
                Ok("A: 1\n\nFrom me\n>From you\n> From them\n>Fromage\n".to_owned())
            )]
        );
    }

    #[test]
    fn windows_line_ends_split_too() {
        let text = "From a Fri Nov 20 22:28:40 2026\r\nA: 1\r\n\r\nx\r\n\r\nFrom b Fri Nov 20 22:28:40 2026\r\nB: 2\r\n\r\n";
        let mails = read(text);
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0].2, Ok("A: 1\r\n\r\nx\r\n".to_owned()));
    }

    #[test]
    fn text_before_the_first_mail_is_reported_and_skipped() {
        let mails = read(&format!("no mail\n\n{FROM}A: 1\n\n"));
        assert_eq!(mails[0], (0, 0, Err("text before the first mail")));
        assert_eq!(mails[1].0, 1);
        assert_eq!(read(&format!("\n\n{FROM}A: 1\n\n")).len(), 1);
        assert_eq!(read(""), []);
        assert_eq!(read("\n\n"), []);
    }

    #[test]
    fn a_huge_mail_is_skipped() {
        let line = "x".repeat(200_000);
        let text = format!("{FROM}A: 1\n\n{}\n\n{FROM}B: 2\n\n", line.repeat(170));
        let mails = read(&text);
        assert_eq!(mails[0].2, Err("larger than 32 MiB"));
        assert_eq!(mails[1].2, Ok("B: 2\n".to_owned()));
    }

    #[test]
    fn reading_can_start_at_any_mail() {
        let text = format!("{FROM}A: 1\n\nx\n\n{FROM}B: 2\n\n");
        let offset = read(&text)[1].1;
        let tail = &text[usize::try_from(offset).unwrap()..];
        let entry = Mbox::new(tail.as_bytes(), offset).next().unwrap().unwrap();
        assert_eq!(
            (entry.offset, entry.content),
            (offset, Ok(b"B: 2\n".to_vec()))
        );
    }

    #[test]
    fn delivery_times_are_read_in_the_usual_forms() {
        for line in [
            "From a@example.com Fri Nov 20 22:28:40 2026",
            "From a at example.com  Fri Nov 20 22:28:40 2026",
            "From 17@xxx Fri Nov 20 23:28:40 +0100 2026",
            "From a Fri Nov 20 17:28:40 2026 -0500",
        ] {
            let time = delivery_time(line.as_bytes()).map(|time| time.to_rfc3339());
            assert_eq!(time.as_deref(), Some("2026-11-20T22:28:40+00:00"), "{line}");
        }
        assert_eq!(delivery_time(b"From a nowhere"), None);
        assert_eq!(delivery_time(b"From a Fri Nov 31 22:28:40 2026"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_the_end(pieces in prop::collection::vec(
            prop_oneof![Just(FROM.as_bytes().to_vec()), Just(b"\n".to_vec()), prop::collection::vec(any::<u8>(), 0..20)],
            0..30,
        )) {
            let bytes = pieces.concat();
            let mut mbox = Mbox::new(bytes.as_slice(), 0);
            let mut last = 0;
            for entry in mbox.by_ref() {
                let entry = entry.unwrap();
                prop_assert!(entry.offset >= last);
                last = entry.offset;
            }
            prop_assert_eq!(mbox.position(), u64::try_from(bytes.len()).unwrap());
        }
    }
}
