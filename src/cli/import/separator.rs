//! Recognises the lines that start a mail in an mbox.

use chrono::{DateTime, Utc};

use super::mail::{date, fields};

/// The mark that programs on Windows write at the start of a file. In joined files, it is at the start of a line.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The line around each mail in the format MMDF.
const MMDF: &[u8] = b"\x01\x01\x01\x01";

/// A line that starts a mail if header fields follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `From ` with a time: `From ann@example.com Fri Nov 20 22:28:40 2026`.
    Dated,
    /// `From - `, as Netscape and Thunderbird write it.
    Bare,
    /// `From ` with an id or an address alone: `From 1001@xxx`.
    Undated,
    /// The line of MMDF.
    Mmdf,
}

impl Separator {
    /// Reads a line.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        if is_mmdf(line) {
            return Some(Self::Mmdf);
        }
        let rest = String::from_utf8_lossy(after_from(line)?);
        if time(line).is_some() {
            return Some(Self::Dated);
        }
        let mut words = rest.split_whitespace();
        let (first, second) = (words.next()?, words.next());
        let is_address = first.contains('@') || second == Some("at");
        match second {
            None if first == "-" => Some(Self::Bare),
            None => Some(Self::Undated),
            Some(_) => is_address.then_some(Self::Undated),
        }
    }

    /// Whether it starts a mail also if the line above is not blank. Mailboxes that were joined or cut by hand lack that
    /// line.
    #[must_use]
    pub const fn may_follow_text(self) -> bool {
        !matches!(self, Self::Undated)
    }

    /// Whether it starts a mail, if these lines follow.
    #[must_use]
    pub fn starts_mail(self, ahead: &[u8], after_blank: bool) -> bool {
        if self == Self::Dated && after_blank {
            // A mail may also have no header, or one that is damaged.
            return ahead.is_empty()
                || ahead.starts_with(b"\n")
                || ahead.starts_with(b"\r\n")
                || may_begin_header(ahead);
        }
        fields::begins_header(ahead)
    }
}

/// Returns the time on a line that starts a mail.
#[must_use]
pub fn time(line: &[u8]) -> Option<DateTime<Utc>> {
    let rest = String::from_utf8_lossy(after_from(line)?).into_owned();
    let (_, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let time = date::read(rest);
    time.filter(|_| rest.contains(':'))
}

/// Whether this is the line around mails in the format MMDF.
#[must_use]
pub fn is_mmdf(line: &[u8]) -> bool {
    line.trim_ascii_end() == MMDF
}

/// Whether a header may begin with this line.
#[must_use]
pub fn may_begin_header(line: &[u8]) -> bool {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.starts_with(b">From ") || line.starts_with(b"From ") || fields::field(line).is_some()
}

/// Returns where a complete `From ` line begins inside this line, directly after other text.
#[must_use]
pub fn inside_line(line: &[u8]) -> Option<usize> {
    // Almost all lines are rejected by their end.
    let text = line.trim_ascii_end();
    let ends_with_year = text.len() > 24 && text.iter().rev().take(4).all(u8::is_ascii_digit);
    if !ends_with_year {
        return None;
    }
    let at = text.windows(5).rposition(|part| part == b"From ")?;
    let before = at.checked_sub(1).and_then(|at| text.get(at))?;
    let from = text.get(at..)?;
    let is_text =
        !before.is_ascii_whitespace() && !matches!(before, b'>' | b'"' | b'\'' | b'`' | b'(');
    (is_text && time(from).is_some()).then_some(at)
}

fn after_from(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    line.strip_prefix(b"From ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivery_times_are_read_in_the_usual_forms() {
        for line in [
            "From a@example.com Fri Nov 20 22:28:40 2026",
            "From a at example.com  Fri Nov 20 22:28:40 2026",
            "From 17@xxx Fri Nov 20 23:28:40 +0100 2026",
            "From a Fri Nov 20 17:28:40 2026 -0500",
            "From may Fri, 20 Nov 2026 17:28:40 EST",
            "From - 2026-11-20T22:28:40Z",
        ] {
            let time = time(line.as_bytes()).map(|time| time.to_rfc3339());
            assert_eq!(time.as_deref(), Some("2026-11-20T22:28:40+00:00"), "{line}");
        }
        assert_eq!(time(b"From a nowhere"), None);
        assert_eq!(time(b"From a Fri Nov 31 22:28:40 2026"), None);
    }
}
