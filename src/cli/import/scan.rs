//! The first pass over an archive: reads what threading needs, and accounts for every mail.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufReader},
    ops::RangeInclusive,
};

use chrono::{DateTime, Utc};

use super::{
    mail::{self, ImportedMail},
    mbox::{Mbox, MboxEntry},
    progress::bar,
    source::MailSource,
    threading::MailHeader,
};
use crate::domain::import::archive::{self, Author};

/// The mails of an archive.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) headers: Vec<MailHeader>,
    /// For each header, where the mail is.
    pub(super) mails: Vec<ScannedMail>,
    pub(super) authors: Vec<Author>,
    /// The number of mails that an earlier one in the file equals.
    pub(super) doubles: usize,
    /// The number of mails that cannot be imported.
    pub(super) unreadable: usize,
    /// Each mail that is left out, with its position and the reason.
    pub(super) left_out: Vec<String>,
    /// What the import changes, with the position of the mail.
    pub(super) changed: Vec<String>,
    pub(super) attachments: usize,
}

/// Where a mail is, who wrote it, its key and its topic.
pub(super) struct ScannedMail {
    pub(super) ordinal: u64,
    pub(super) offset: u64,
    pub(super) author: usize,
    pub(super) key: String,
    /// A hash of the topic, to compare it with that of the thread.
    pub(super) topic: u64,
}

impl Scan {
    /// Reads an archive. Ignores times outside `plausible`.
    pub(super) fn read(
        source: &mut MailSource,
        plausible: &RangeInclusive<DateTime<Utc>>,
    ) -> io::Result<Self> {
        let progress = bar(source.length, "reading", "{bytes}/{total_bytes}");
        let mut scan = Self::default();
        let mut authors: HashMap<mail::Sender, usize> = HashMap::new();
        let mut ordinals: HashMap<String, u64> = HashMap::new();
        let mut times = Vec::new();
        let mut mbox = Mbox::new(BufReader::new(&mut source.file), 0);
        while let Some(entry) = mbox.next() {
            let entry = entry?;
            progress.set_position(mbox.position());
            let mail = match parse(&entry, plausible) {
                Ok(mail) => mail,
                Err(reason) => {
                    scan.unreadable += 1;
                    scan.left_out
                        .push(format!("{}: {reason}", position(&entry)));
                    continue;
                }
            };
            let key = archive::key(&mail.message_id, &mail.fingerprint);
            if let Some(first) = ordinals.get(&key) {
                scan.doubles += 1;
                scan.left_out.push(format!(
                    "{}: the same mail as mail {first}",
                    position(&entry)
                ));
                continue;
            }
            ordinals.insert(key.clone(), entry.ordinal);
            times.push(
                mail.written_at
                    .or(entry.delivered_at.filter(|time| plausible.contains(time))),
            );
            scan.add(&entry, mail, key, &mut authors);
        }
        let fallback = source.modified_at.filter(|time| plausible.contains(time));
        scan.place(&times, fallback.unwrap_or(*plausible.end()));
        progress.finish_and_clear();
        Ok(scan)
    }

    fn add(
        &mut self,
        entry: &MboxEntry,
        mail: ImportedMail,
        key: String,
        authors: &mut HashMap<mail::Sender, usize>,
    ) {
        let cut = entry
            .is_cut
            .then_some("larger than 32 MiB: its end is left out");
        for note in mail.notes.iter().copied().chain(cut) {
            self.changed.push(format!("{}: {note}", position(entry)));
        }
        let sender = mail.sender.identity();
        let author = *authors.entry(sender).or_insert_with(|| {
            let mail::Sender { name, address } = mail.sender.clone();
            self.authors.push(Author { name, address });
            self.authors.len() - 1
        });
        self.attachments += mail.attachments;
        let mut topic = DefaultHasher::new();
        mail.topic().hash(&mut topic);
        self.mails.push(ScannedMail {
            topic: topic.finish(),
            ordinal: entry.ordinal,
            offset: entry.offset,
            author,
            key,
        });
        self.headers.push(MailHeader {
            message_id: mail.message_id,
            references: mail.references,
            written_at: DateTime::UNIX_EPOCH,
        });
    }

    /// Gives each mail its time. A mail without one has that of the mail above it, or else of the next one.
    fn place(&mut self, times: &[Option<DateTime<Utc>>], fallback: DateTime<Utc>) {
        let mut last = times.iter().flatten().next().copied().unwrap_or(fallback);
        for ((header, mail), time) in self.headers.iter_mut().zip(&self.mails).zip(times) {
            if time.is_none() {
                let ScannedMail {
                    ordinal, offset, ..
                } = mail;
                let day = last.format("%Y-%m-%d");
                let note = format!(
                    "mail {ordinal} at byte {offset}: no date; {day} is used, from another mail or the file"
                );
                self.changed.push(note);
            }
            last = time.unwrap_or(last);
            header.written_at = last;
        }
    }
}

/// Parses a mail.
pub(super) fn parse(
    entry: &MboxEntry,
    plausible: &RangeInclusive<DateTime<Utc>>,
) -> Result<ImportedMail, &'static str> {
    let raw = entry.content.as_ref().map_err(|reason| *reason)?;
    mail::read(raw, plausible)
}

fn position(entry: &MboxEntry) -> String {
    format!("mail {} at byte {}", entry.ordinal, entry.offset)
}
