//! Splits an mbox file into mails, one at a time. Does not parse the mails.

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read, Seek, SeekFrom},
};

use chrono::{DateTime, Utc};

use super::{
    mail::fields::{self, Fields, MAX_LINES_AHEAD},
    separator::{self, Separator},
};

/// Maximum size of a mail. The end of a larger one, which is an attachment, is skipped, so that a file cannot exhaust the
/// memory.
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
    /// Whether the end of the mail was skipped, because it is larger than 32 MiB.
    pub is_cut: bool,
}

/// Iterates over the mails of a file: of an mbox in any of its forms, or of one mail without a `From ` line. Supports
/// both conventions for quoting `From ` at the start of a line: `>` is added to all such lines, or only to unquoted ones.
#[derive(Debug)]
pub struct Mbox<R> {
    reader: R,
    line: Vec<u8>,
    /// Lines that were read to recognise a header.
    ahead: VecDeque<Vec<u8>>,
    /// Position after `line`.
    position: u64,
    ordinal: u64,
    /// The line that ended the previous mail: its position and time.
    opened: Option<(u64, Option<DateTime<Utc>>)>,
    at_line_start: bool,
    after_blank: bool,
}

/// The bytes of a mail while it is read.
#[derive(Default)]
struct Mail {
    bytes: Vec<u8>,
    is_cut: bool,
    /// The field Content-Length, until the header ends.
    length: Option<u64>,
    /// Where the mail ends according to that field.
    end: Option<u64>,
    in_body: bool,
    /// Whether lines of the text that start with `From ` have no mark, because the length ends the mail.
    is_unmarked: bool,
    part: Part,
}

/// Where in the parts of a mail the current line is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Text,
    /// In the header of a part.
    Header,
    /// In the header of a part that is a mail.
    MailHeader,
    /// At the start of a mail in a part, which may have a `From ` line of its own.
    MailStart,
}

impl<R: BufRead + Seek> Mbox<R> {
    /// Reads from the start of a file, or from the `From ` line at `position`, where the reader is.
    pub const fn new(reader: R, position: u64) -> Self {
        Self {
            reader,
            line: Vec::new(),
            ahead: VecDeque::new(),
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
        if let Some(line) = self.ahead.pop_front() {
            self.line = line;
        } else {
            self.line.clear();
            self.reader
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut self.line)?;
        }
        self.position = self.position.saturating_add(bytes(self.line.len()));
        Ok(!self.line.is_empty())
    }

    /// Reads the lines up to the next blank one, without consuming them.
    fn lines_ahead(&mut self) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for at in 0..MAX_LINES_AHEAD {
            if at == self.ahead.len() {
                let mut line = Vec::new();
                self.reader
                    .by_ref()
                    .take(MAX_LINE_BYTES)
                    .read_until(b'\n', &mut line)?;
                if line.is_empty() {
                    break;
                }
                self.ahead.push_back(line);
            }
            let Some(line) = self.ahead.get(at) else {
                break;
            };
            lines.extend_from_slice(line);
            if line.trim_ascii().is_empty() || at == 0 && !separator::may_begin_header(line) {
                break;
            }
        }
        Ok(lines)
    }

    /// Whether the current line ends the mail and starts another one.
    fn is_separator(&mut self) -> io::Result<bool> {
        let Some(separator) = Separator::read(&self.line) else {
            return Ok(false);
        };
        if !self.after_blank && !separator.may_follow_text() {
            return Ok(false);
        }
        let ahead = self.lines_ahead()?;
        Ok(separator.starts_mail(&ahead, self.after_blank))
    }

    /// Whether the mail ends at this position: the file ends there, or a `From ` line follows.
    fn ends_at(&mut self, end: u64) -> io::Result<bool> {
        let current = self.reader.stream_position()?;
        let length = self.reader.seek(SeekFrom::End(0))?;
        let mut next = Vec::new();
        if end < length {
            self.reader.seek(SeekFrom::Start(end))?;
            self.reader.by_ref().take(16).read_to_end(&mut next)?;
        }
        self.reader.seek(SeekFrom::Start(current))?;
        let follows = next.trim_ascii_start();
        Ok(end == length || end < length && (follows.is_empty() || follows.starts_with(b"From ")))
    }

    /// If another mail starts in the middle of the line, because a file without a final line end was joined with the next
    /// one, leaves that part for the next line.
    fn split_line(&mut self) -> io::Result<bool> {
        let Some(at) = separator::inside_line(&self.line) else {
            return Ok(false);
        };
        let ahead = self.lines_ahead()?;
        if !fields::begins_header(&ahead) {
            return Ok(false);
        }
        let rest = self.line.split_off(at);
        self.position -= bytes(rest.len());
        self.ahead.push_front(rest);
        Ok(true)
    }

    /// Reads a mail up to the line that starts the next mail. `is_open` is whether a line started this one.
    fn read_mail(&mut self, is_open: bool) -> io::Result<Mail> {
        let mut mail = Mail::default();
        while self.read_line()? {
            let whole_line = self.at_line_start;
            let start = self.position - bytes(self.line.len());
            self.at_line_start = self.line.ends_with(b"\n");
            // Some mailboxes have two such lines above each mail.
            let is_second = is_open && mail.bytes.is_empty() && !separator::is_mmdf(&self.line);
            let is_inner = mail.part == Part::MailStart;
            if whole_line && !is_second && !is_inner && self.is_separator()? {
                let is_inside = mail.end.is_some_and(|end| start < end);
                if !(is_inside && self.ends_at(mail.end.unwrap_or_default())?) {
                    self.opened = Some((start, separator::time(&self.line)));
                    self.after_blank = false;
                    break;
                }
                mail.is_unmarked = true;
            } else if whole_line && separator::is_mmdf(&self.line) && self.is_mmdf_end()? {
                continue;
            } else if whole_line && self.split_line()? {
                self.at_line_start = true;
            }
            self.after_blank = whole_line && matches!(self.line.as_slice(), b"\n" | b"\r\n");
            mail.push(&self.line, self.after_blank, self.position);
        }
        Ok(mail)
    }

    /// Whether a line of MMDF ends a mail without starting the next one.
    fn is_mmdf_end(&mut self) -> io::Result<bool> {
        let ahead = self.lines_ahead()?;
        Ok(ahead.is_empty()
            || separator::is_mmdf(
                ahead
                    .split(|byte| *byte == b'\n')
                    .next()
                    .unwrap_or_default(),
            ))
    }
}

impl Mail {
    fn push(&mut self, line: &[u8], is_blank: bool, position: u64) {
        if !self.in_body {
            if is_blank && !self.bytes.is_empty() {
                self.in_body = true;
                self.end = self.length.and_then(|length| position.checked_add(length));
            } else if let Some((name, value)) = fields::field(line)
                && name == "content-length"
            {
                let value = std::str::from_utf8(value.trim_ascii()).ok();
                self.length = value.and_then(|value| value.parse().ok());
            }
        }
        self.part = match self.part {
            _ if line.starts_with(b"--") => Part::Header,
            Part::Header if is_blank => Part::Text,
            Part::MailHeader if is_blank => Part::MailStart,
            Part::Header => match fields::field(line) {
                Some((name, value)) if name == "content-type" && is_mail(value) => Part::MailHeader,
                _ => Part::Header,
            },
            Part::MailHeader => Part::MailHeader,
            Part::Text | Part::MailStart => Part::Text,
        };
        self.is_cut = self.is_cut || self.bytes.len() + line.len() > MAX_MAIL_BYTES;
        if !self.is_cut {
            self.bytes.extend_from_slice(line);
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut mail = if self.is_unmarked {
            self.bytes
        } else {
            unmarked(self.bytes)
        };
        // The blank line before a `From ` line belongs to the format, not to the mail.
        for end in [b"\n\r\n".as_slice(), b"\n\n"] {
            if mail.ends_with(end) {
                mail.truncate(mail.len() - end.len() + 1);
                break;
            }
        }
        mail
    }
}

impl<R: BufRead + Seek> Iterator for Mbox<R> {
    type Item = io::Result<MboxEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let opened = self.opened.take();
        let (offset, delivered_at) = opened.unwrap_or((self.position, None));
        let mail = match self.read_mail(opened.is_some()) {
            Ok(mail) => mail,
            Err(error) => return Some(Err(error)),
        };
        let is_cut = mail.is_cut;
        let mut text = mail.into_bytes();
        if text.starts_with(separator::BYTE_ORDER_MARK) {
            text.drain(..separator::BYTE_ORDER_MARK.len());
        }
        let is_blank = text.trim_ascii().is_empty();
        if opened.is_none() && is_blank && !is_cut {
            // Nothing before the first mail.
            return if self.opened.is_some() {
                self.next()
            } else {
                None
            };
        }
        // A file may contain one mail without a `From ` line, or begin with such a mail.
        let is_mail = opened.is_some() || Fields::read_mail(&text).0.has_common();
        self.ordinal += u64::from(is_mail);
        Some(Ok(MboxEntry {
            ordinal: if is_mail { self.ordinal } else { 0 },
            offset,
            delivered_at,
            content: if is_mail {
                Ok(text)
            } else {
                Err("text before the first mail")
            },
            is_cut,
        }))
    }
}

fn is_mail(content_type: &[u8]) -> bool {
    content_type
        .trim_ascii_start()
        .to_ascii_lowercase()
        .starts_with(b"message/")
}

/// Removes one mark from each line that starts with marks and `From `.
fn unmarked(mail: Vec<u8>) -> Vec<u8> {
    if !mail
        .windows(7)
        .any(|part| part == b"\n>From " || part.starts_with(b"\n>>"))
    {
        return mail;
    }
    let mut unmarked = Vec::with_capacity(mail.len());
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        let marks = line.iter().take_while(|byte| **byte == b'>').count();
        let is_marked = marks > 0 && line.split_at(marks).1.starts_with(b"From ");
        unmarked.extend_from_slice(line.split_at(usize::from(is_marked)).1);
    }
    unmarked
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "mbox_tests.rs"]
mod tests;
