//! `heddle import mbox`: reads the file once to build the threads and again for the texts, so that an archive may exceed
//! the memory.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Seek, SeekFrom},
    ops::RangeInclusive,
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    mbox::{Mbox, MboxEntry},
    message::{self, ImportedMail},
    threading::{self, MailHeader, ThreadedMail},
};
use crate::{
    cli::{error::CliError, migrate, output},
    clock::Clock,
    config::Config,
    db::Db,
    domain::{
        import::{
            ImportedMessage,
            archive::{self, Archive, Author},
        },
        users,
    },
    id::{MessageId, UserId},
};

/// Messages in one transaction.
const BATCH_SIZE: usize = 1000;
/// Maximum length of a stored text, in bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// The result of the first pass over the file.
#[derive(Default)]
struct Scan {
    headers: Vec<MailHeader>,
    /// For each header, the byte offset of the mail and the index of its author.
    mails: Vec<(u64, usize)>,
    authors: Vec<Author>,
    unreadable: Vec<String>,
    attachments: usize,
}

pub(super) async fn run(
    config: &Config,
    file: &Path,
    title: &str,
    owners: &[String],
) -> Result<(), CliError> {
    if title.is_empty() || title.chars().count() > 100 {
        return Err(CliError::because(
            "--conversation needs a title of 1 to 100 characters",
        ));
    }
    let now = Clock::default().now();
    let plausible = DateTime::UNIX_EPOCH + TimeDelta::days(1)..=now + TimeDelta::days(1);
    let scan = scan_file(file, &plausible)?;
    if scan.headers.is_empty() {
        return Err(CliError::because(format!(
            "{}: no mails found; is it an mbox file?",
            file.display()
        )));
    }
    let threaded = threading::thread(&scan.headers);
    let db = migrate::ready(config).await?;
    let outcome = store(
        config, &db, file, &plausible, &scan, &threaded, title, owners,
    )
    .await;
    db.close().await?;
    let stored = outcome?;
    for mail in &scan.unreadable {
        output::line(format!("unreadable: {mail}"));
    }
    output::line(report(&scan, &threaded, stored));
    Ok(())
}

/// Reads the headers that threading needs.
fn scan_file(path: &Path, plausible: &RangeInclusive<DateTime<Utc>>) -> Result<Scan, CliError> {
    let io_error = |error: io::Error| CliError::because(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(io_error)?;
    let bar = bar(
        file.metadata().map_err(io_error)?.len(),
        "reading",
        "{bytes}/{total_bytes}",
    );
    let mut scan = Scan::default();
    let mut authors: HashMap<String, usize> = HashMap::new();
    let mut last = None;
    let mut mbox = Mbox::new(BufReader::new(file), 0);
    while let Some(entry) = mbox.next() {
        let entry = entry.map_err(io_error)?;
        bar.set_position(mbox.position());
        match parse(&entry, plausible, last) {
            Err(reason) => {
                let MboxEntry {
                    ordinal, offset, ..
                } = entry;
                scan.unreadable
                    .push(format!("mail {ordinal} at byte {offset}: {reason}"));
            }
            Ok((mail, written_at)) => {
                last = Some(written_at);
                let author = *authors
                    .entry(mail.sender.address.clone())
                    .or_insert_with(|| {
                        let message::Sender { name, address } = mail.sender;
                        scan.authors.push(Author { name, address });
                        scan.authors.len() - 1
                    });
                scan.attachments += mail.attachments;
                scan.mails.push((entry.offset, author));
                scan.headers.push(MailHeader {
                    message_id: mail.message_id,
                    references: mail.references,
                    written_at,
                });
            }
        }
    }
    bar.finish_and_clear();
    Ok(scan)
}

/// Parses a mail and determines its time: that of the mail, of its delivery, or else of the previous mail.
fn parse(
    entry: &MboxEntry,
    plausible: &RangeInclusive<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
) -> Result<(ImportedMail, DateTime<Utc>), &'static str> {
    let raw = entry.content.as_ref().map_err(|reason| *reason)?;
    let mail = message::read(raw, plausible)?;
    let delivered = entry.delivered_at.filter(|time| plausible.contains(time));
    let time = mail
        .written_at
        .or(delivered)
        .or(last)
        .ok_or("no plausible time")?;
    Ok((mail, time))
}

/// The number of imported messages, and of those that an earlier import stored.
#[derive(Clone, Copy, Default)]
struct Stored {
    new: usize,
    existing: usize,
}

#[expect(
    clippy::too_many_arguments,
    reason = "called once, from the steps above"
)]
async fn store(
    config: &Config,
    db: &Db,
    file: &Path,
    plausible: &RangeInclusive<DateTime<Utc>>,
    scan: &Scan,
    threaded: &[ThreadedMail],
    title: &str,
    owners: &[String],
) -> Result<Stored, CliError> {
    let owners = owner_ids(db, owners).await?;
    let headers = threaded
        .iter()
        .filter_map(|mail| scan.headers.get(mail.header));
    let start = headers
        .map(|header| header.written_at)
        .min()
        .unwrap_or_default();
    let depth = config.thread_depth;
    let mut archive = archive::open(db, title, &scan.authors, &owners, depth, start).await?;
    let is_first = archive.history.is_empty();
    let (pending, stored) = assign_indexes(&mut archive, scan, threaded);
    let bar = bar(
        u64::try_from(pending.len()).unwrap_or(u64::MAX),
        "storing",
        "{pos}/{len}",
    );
    let mut reader = File::open(file)?;
    for batch in pending.chunks(BATCH_SIZE) {
        let mut messages = Vec::with_capacity(batch.len());
        for mail in batch {
            messages.push(read_message(&mut reader, plausible, &archive, mail)?);
        }
        let (history, messages) = (&archive.history, &messages);
        let known = db
            .write(|tx| async move { history.append_in(&tx, messages).await })
            .await?;
        for known in known {
            archive.history.remember(known);
        }
        bar.inc(u64::try_from(batch.len()).unwrap_or(0));
    }
    if is_first {
        archive::mark_read(db, &archive, &owners).await?;
    }
    bar.finish_and_clear();
    Ok(stored)
}

/// A mail to store.
struct PendingMail<'a> {
    header: &'a MailHeader,
    offset: u64,
    author: usize,
    parent: Option<usize>,
}

/// Assigns each mail its index in the history. Mails of an earlier import keep theirs.
fn assign_indexes<'a>(
    archive: &mut Archive,
    scan: &'a Scan,
    threaded: &[ThreadedMail],
) -> (Vec<PendingMail<'a>>, Stored) {
    let mut indexes = Vec::with_capacity(threaded.len());
    let mut pending = Vec::new();
    let mut stored = Stored::default();
    for mail in threaded {
        let Some((header, (offset, author))) = scan
            .headers
            .get(mail.header)
            .zip(scan.mails.get(mail.header).copied())
        else {
            continue;
        };
        let index = archive
            .numbers
            .get(&archive::key(&header.message_id))
            .copied();
        indexes.push(index.unwrap_or(archive.history.len() + pending.len()));
        if index.is_some() {
            stored.existing += 1;
            continue;
        }
        stored.new += 1;
        let parent = mail.parent.and_then(|parent| indexes.get(parent).copied());
        pending.push(PendingMail {
            header,
            offset,
            author,
            parent,
        });
    }
    (pending, stored)
}

fn read_message(
    file: &mut File,
    plausible: &RangeInclusive<DateTime<Utc>>,
    archive: &Archive,
    mail: &PendingMail<'_>,
) -> Result<ImportedMessage, CliError> {
    let changed = || CliError::because("the file changed during the import; run the command again");
    file.seek(SeekFrom::Start(mail.offset))?;
    let entry = Mbox::new(BufReader::new(file), mail.offset)
        .next()
        .ok_or_else(changed)??;
    let content = entry
        .content
        .ok()
        .and_then(|raw| message::read(&raw, plausible).ok())
        .ok_or_else(changed)?;
    Ok(ImportedMessage {
        id: MessageId::mint(),
        sender: archive
            .users
            .get(mail.author)
            .copied()
            .ok_or_else(changed)?,
        parent: mail.parent,
        at: mail.header.written_at,
        body: truncate(content.body(mail.parent.is_none())),
        key: Some(archive::key(&mail.header.message_id)),
    })
}

fn truncate(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        text.push_str("\n\n(the rest was left out)");
    }
    text
}

async fn owner_ids(db: &Db, names: &[String]) -> Result<Vec<UserId>, CliError> {
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let user = users::by_username(db, name).await?;
        let missing = || CliError::because(format!("there is no account with the username {name}"));
        ids.push(user.ok_or_else(missing)?.id);
    }
    Ok(ids)
}

fn report(scan: &Scan, threaded: &[ThreadedMail], stored: Stored) -> String {
    let mut depths: Vec<usize> = Vec::with_capacity(threaded.len());
    for mail in threaded {
        let parent = mail.parent.and_then(|parent| depths.get(parent));
        depths.push(parent.map_or(0, |depth| depth + 1));
    }
    let threads = threaded.iter().filter(|mail| mail.parent.is_none()).count();
    format!(
        "{} mails read: {} imported, {} already imported, {} duplicates in the file, {} unreadable; {} attachments \
         skipped.\nTotal: {threads} threads, the deepest with {} levels of replies, by {} authors.",
        scan.headers.len() + scan.unreadable.len(),
        stored.new,
        stored.existing,
        scan.headers.len() - threaded.len(),
        scan.unreadable.len(),
        scan.attachments,
        depths.iter().max().unwrap_or(&0),
        scan.authors.len(),
    )
}

/// A progress bar, which is visible only on a terminal.
fn bar(length: u64, verb: &'static str, figures: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {figures} {{eta}}"));
    let bar = ProgressBar::new(length).with_message(verb);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
