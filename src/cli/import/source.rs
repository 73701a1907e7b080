//! Opens what the user names: a file, or a pipe; plain or compressed with gzip. Names what cannot be imported.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, Write},
    path::Path,
};

use chrono::{DateTime, Utc};
use flate2::bufread::MultiGzDecoder;

use super::{mail::fields, separator::BYTE_ORDER_MARK};
use crate::cli::error::CliError;

/// The bytes that are read to recognise a format.
const HEAD_BYTES: u64 = 64 * 1024;

/// Formats that start with certain bytes.
const FORMATS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"\x1f\x9d", "compressed with compress"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"!BDN", "an Outlook data file (PST)"),
    (
        b"\xd0\xcf\x11\xe0",
        "an Outlook message or another file of Microsoft Office",
    ),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"\xff\xfe", "text in UTF-16; convert it to UTF-8 first"),
    (b"\xfe\xff", "text in UTF-16; convert it to UTF-8 first"),
    (b"BABYL OPTIONS", "a Babyl mailbox of Emacs"),
];

/// Formats of text, by their first characters in lower case.
const TEXT_FORMATS: &[(&str, &str)] = &[
    ("<!doctype html", "an HTML page"),
    ("<html", "an HTML page"),
    ("<?xml", "an XML document"),
    ("<", "an HTML or XML document"),
    ("{\"", "a JSON document"),
    ("[{", "a JSON document"),
    ("begin:vcard", "a vCard"),
    ("begin:vcalendar", "a calendar"),
    ("%!ps", "a PostScript document"),
];

/// A file of mails that can be read more than once.
#[derive(Debug)]
pub struct MailSource {
    /// The file: that of the user, or a temporary copy of a pipe or of what was compressed.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
    /// When the file of the user was changed.
    pub modified_at: Option<DateTime<Utc>>,
    /// The start of the file.
    head: Vec<u8>,
}

impl MailSource {
    /// Opens a file; `-` is standard input. Fails if it is known to contain no mails.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let explain = |error: io::Error| CliError::because(format!("{}: {error}", path.display()));
        let is_stdin = path == Path::new("-");
        if !is_stdin {
            refuse_folder(path, &fs::metadata(path).map_err(explain)?)?;
        }
        let source = if is_stdin {
            Self::copy(io::stdin().lock()).map_err(explain)?
        } else {
            let file = File::open(path).map_err(explain)?;
            Self::of_file(file).map_err(explain)?
        };
        if let Some(format) = source.format() {
            return Err(CliError::because(format!(
                "{} is {format}, and not an mbox file",
                path.display()
            )));
        }
        Ok(source)
    }

    /// Reports that no mail was found, and what the file is instead.
    #[must_use]
    pub fn no_mails(&self, path: &Path) -> CliError {
        let text = self
            .head
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&self.head);
        let what = if self.length == 0 {
            "the file is empty"
        } else if self.head.iter().all(|byte| *byte == 0) {
            "the file contains only zeros"
        } else if std::str::from_utf8(text).is_err() && text.contains(&0) {
            "the file is not text"
        } else {
            "an mbox file has a line that starts with `From ` above each mail, and a mail starts with its header"
        };
        CliError::because(format!("{}: no mails found; {what}", path.display()))
    }

    fn of_file(mut file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Self::copy(BufReader::new(file));
        }
        let mut head = Vec::new();
        (&file).take(HEAD_BYTES).read_to_end(&mut head)?;
        file.rewind()?;
        if needs_copy(&head) {
            return Self::copy(BufReader::new(file));
        }
        Ok(Self {
            file,
            length: metadata.len(),
            modified_at: metadata.modified().ok().map(DateTime::from),
            head,
        })
    }

    /// Copies the input to a temporary file, which has no name and disappears with the process.
    fn copy(mut input: impl BufRead) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        if input.fill_buf()?.starts_with(GZIP) {
            let damaged = |error: io::Error| {
                let text = format!("the gzip data is damaged or incomplete: {error}");
                io::Error::new(error.kind(), text)
            };
            copy_text(BufReader::new(MultiGzDecoder::new(input)), &mut file).map_err(damaged)?;
        } else {
            copy_text(input, &mut file)?;
        }
        let length = file.stream_position()?;
        let mut head = Vec::new();
        file.rewind()?;
        (&file).take(HEAD_BYTES).read_to_end(&mut head)?;
        file.rewind()?;
        Ok(Self {
            file,
            length,
            modified_at: None,
            head,
        })
    }

    /// Returns the format of the file, if it is a known one that contains no mails.
    fn format(&self) -> Option<&'static str> {
        let by_bytes = FORMATS
            .iter()
            .find(|(start, _)| self.head.starts_with(start));
        if let Some((_, name)) = by_bytes {
            return Some(name);
        }
        if self.head.get(257..262) == Some(b"ustar") {
            return Some("a tar archive");
        }
        let text = self
            .head
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&self.head);
        let start = text.trim_ascii_start();
        let start = start.get(..20.min(start.len())).unwrap_or_default();
        let start = String::from_utf8_lossy(start).to_ascii_lowercase();
        let found = TEXT_FORMATS
            .iter()
            .find(|(prefix, _)| start.starts_with(prefix));
        found.map(|(_, name)| *name)
    }
}

const GZIP: &[u8] = b"\x1f\x8b";

fn refuse_folder(path: &Path, metadata: &fs::Metadata) -> Result<(), CliError> {
    if !metadata.is_dir() {
        return Ok(());
    }
    let is_maildir = ["cur", "new", "tmp"]
        .iter()
        .all(|name| path.join(name).is_dir());
    let kind = if is_maildir {
        "a Maildir, a directory with a file for each mail"
    } else {
        "a directory"
    };
    Err(CliError::because(format!(
        "{} is {kind}, and not an mbox file",
        path.display()
    )))
}

fn needs_copy(head: &[u8]) -> bool {
    head.starts_with(GZIP) || has_old_line_ends(head)
}

/// Whether lines end with CR alone, as they did on old Macintosh computers.
fn has_old_line_ends(head: &[u8]) -> bool {
    let has_lines = head.contains(&b'\r') && !head.contains(&b'\n');
    let first = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    has_lines && (first.starts_with(b"From ") || fields::field(first).is_some())
}

fn copy_text(mut input: impl BufRead, output: &mut File) -> io::Result<()> {
    let mut output = io::BufWriter::new(output);
    let is_old = has_old_line_ends(input.fill_buf()?);
    loop {
        let piece = input.fill_buf()?;
        let length = piece.len();
        if length == 0 {
            return output.flush();
        }
        if is_old {
            let lines: Vec<u8> = piece
                .iter()
                .map(|byte| if *byte == b'\r' { b'\n' } else { *byte })
                .collect();
            output.write_all(&lines)?;
        } else {
            output.write_all(piece)?;
        }
        input.consume(length);
    }
}
