//! `heddle import mbox`: read the file once for who answers whom, then again for the texts, so that an
//! archive larger than memory can be imported.

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
    mbox::{Entry, Mbox},
    message::{self, ImportedMail},
    threading::{self, Card, Placed},
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
const AT_ONCE: usize = 1000;
/// Longest text that is kept, in bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// What one reading of the file found.
#[derive(Default)]
struct Found {
    cards: Vec<Card>,
    /// For each card, where its mail starts and whose it is.
    mails: Vec<(u64, usize)>,
    authors: Vec<Author>,
    broken: Vec<String>,
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
    let believable = DateTime::UNIX_EPOCH + TimeDelta::days(1)..=now + TimeDelta::days(1);
    let found = scan(file, &believable)?;
    if found.cards.is_empty() {
        return Err(CliError::because(format!(
            "{}: no mails found",
            file.display()
        )));
    }
    let placed = threading::place(&found.cards);
    let db = migrate::ready(config).await?;
    let outcome = store(
        config,
        &db,
        file,
        &believable,
        &found,
        &placed,
        title,
        owners,
    )
    .await;
    db.close().await?;
    let stored = outcome?;
    for broken in &found.broken {
        output::line(format!("broken: {broken}"));
    }
    output::line(report(&found, &placed, stored));
    Ok(())
}

/// Reads every mail for what threading needs.
fn scan(path: &Path, believable: &RangeInclusive<DateTime<Utc>>) -> Result<Found, CliError> {
    let unreadable = |error: io::Error| CliError::because(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let bar = bar(
        file.metadata().map_err(unreadable)?.len(),
        "reading",
        "{bytes}/{total_bytes}",
    );
    let mut found = Found::default();
    let mut authors: HashMap<String, usize> = HashMap::new();
    let mut last = None;
    let mut mbox = Mbox::new(BufReader::new(file), 0);
    while let Some(entry) = mbox.next() {
        let entry = entry.map_err(unreadable)?;
        bar.set_position(mbox.position());
        match understand(&entry, believable, last) {
            Err(reason) => {
                let Entry {
                    ordinal, offset, ..
                } = entry;
                found
                    .broken
                    .push(format!("mail {ordinal} at byte {offset}: {reason}"));
            }
            Ok((letter, written_at)) => {
                last = Some(written_at);
                let author = *authors
                    .entry(letter.sender.address.clone())
                    .or_insert_with(|| {
                        let message::Sender { name, address } = letter.sender;
                        found.authors.push(Author { name, address });
                        found.authors.len() - 1
                    });
                found.attachments += letter.attachments;
                found.mails.push((entry.offset, author));
                found.cards.push(Card {
                    message_id: letter.message_id,
                    forebears: letter.forebears,
                    written_at,
                });
            }
        }
    }
    bar.finish_and_clear();
    Ok(found)
}

/// A mail and its time: its own, that of its delivery, or else that of the mail before it.
fn understand(
    entry: &Entry,
    believable: &RangeInclusive<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
) -> Result<(ImportedMail, DateTime<Utc>), &'static str> {
    let raw = entry.content.as_ref().map_err(|reason| *reason)?;
    let letter = message::read(raw, believable)?;
    let delivered = entry.delivered_at.filter(|time| believable.contains(time));
    let time = letter
        .written_at
        .or(delivered)
        .or(last)
        .ok_or("no believable time")?;
    Ok((letter, time))
}

/// What was stored: new messages, and mails that were here before.
#[derive(Clone, Copy, Default)]
struct Stored {
    new: usize,
    before: usize,
}

#[expect(
    clippy::too_many_arguments,
    reason = "called once, from the steps above"
)]
async fn store(
    config: &Config,
    db: &Db,
    file: &Path,
    believable: &RangeInclusive<DateTime<Utc>>,
    found: &Found,
    placed: &[Placed],
    title: &str,
    owners: &[String],
) -> Result<Stored, CliError> {
    let owners = owner_ids(db, owners).await?;
    let cards = placed.iter().filter_map(|mail| found.cards.get(mail.card));
    let start = cards.map(|card| card.written_at).min().unwrap_or_default();
    let depth = config.thread_depth;
    let mut archive = archive::open(db, title, &found.authors, &owners, depth, start).await?;
    let is_first = archive.history.is_empty();
    let (todo, stored) = number(&mut archive, found, placed);
    let bar = bar(
        u64::try_from(todo.len()).unwrap_or(u64::MAX),
        "storing",
        "{pos}/{len}",
    );
    let mut reader = File::open(file)?;
    for some in todo.chunks(AT_ONCE) {
        let mut messages = Vec::with_capacity(some.len());
        for mail in some {
            messages.push(past(&mut reader, believable, &archive, mail)?);
        }
        let (history, messages) = (&archive.history, &messages);
        let known = db
            .write(|tx| async move { history.append_in(&tx, messages).await })
            .await?;
        for known in known {
            archive.history.remember(known);
        }
        bar.inc(u64::try_from(some.len()).unwrap_or(0));
    }
    if is_first {
        archive::mark_read(db, &archive, &owners).await?;
    }
    bar.finish_and_clear();
    Ok(stored)
}

/// A mail that is to be stored.
struct Todo<'a> {
    card: &'a Card,
    offset: u64,
    author: usize,
    parent: Option<usize>,
}

/// Gives every mail its number in the history; those that are there already keep theirs.
fn number<'a>(
    archive: &mut Archive,
    found: &'a Found,
    placed: &[Placed],
) -> (Vec<Todo<'a>>, Stored) {
    let mut numbers = Vec::with_capacity(placed.len());
    let mut todo = Vec::new();
    let mut stored = Stored::default();
    for mail in placed {
        let Some((card, (offset, author))) = found
            .cards
            .get(mail.card)
            .zip(found.mails.get(mail.card).copied())
        else {
            continue;
        };
        let number = archive
            .numbers
            .get(&archive::key(&card.message_id))
            .copied();
        numbers.push(number.unwrap_or(archive.history.len() + todo.len()));
        if number.is_some() {
            stored.before += 1;
            continue;
        }
        stored.new += 1;
        let parent = mail.parent.and_then(|parent| numbers.get(parent).copied());
        todo.push(Todo {
            card,
            offset,
            author,
            parent,
        });
    }
    (todo, stored)
}

fn past(
    file: &mut File,
    believable: &RangeInclusive<DateTime<Utc>>,
    archive: &Archive,
    mail: &Todo<'_>,
) -> Result<ImportedMessage, CliError> {
    let changed = || CliError::because("the file changed while it was read");
    file.seek(SeekFrom::Start(mail.offset))?;
    let entry = Mbox::new(BufReader::new(file), mail.offset)
        .next()
        .ok_or_else(changed)??;
    let letter = entry
        .content
        .ok()
        .and_then(|raw| message::read(&raw, believable).ok());
    let letter = letter.ok_or_else(changed)?;
    Ok(ImportedMessage {
        id: MessageId::mint(),
        sender: archive
            .users
            .get(mail.author)
            .copied()
            .ok_or_else(changed)?,
        parent: mail.parent,
        at: mail.card.written_at,
        body: shortened(letter.body(mail.parent.is_none())),
        key: Some(archive::key(&mail.card.message_id)),
    })
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        text.push_str("\n\n(the rest was left out)");
    }
    text
}

async fn owner_ids(db: &Db, names: &[String]) -> Result<Vec<UserId>, CliError> {
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let found = users::by_username(db, name).await?;
        let missing = || CliError::because(format!("there is nobody called {name}"));
        ids.push(found.ok_or_else(missing)?.id);
    }
    Ok(ids)
}

fn report(found: &Found, placed: &[Placed], stored: Stored) -> String {
    let mut depths: Vec<usize> = Vec::with_capacity(placed.len());
    for mail in placed {
        let above = mail.parent.and_then(|parent| depths.get(parent));
        depths.push(above.map_or(0, |above| above + 1));
    }
    let threads = placed.iter().filter(|mail| mail.parent.is_none()).count();
    format!(
        "{} mails read: {} imported, {} here before, {} doubles in the file, {} broken; {} attachments \
         left out.\nIn all {threads} threads, the deepest with {} levels of replies, by {} people.",
        found.cards.len() + found.broken.len(),
        stored.new,
        stored.before,
        found.cards.len() - placed.len(),
        found.broken.len(),
        found.attachments,
        depths.iter().max().unwrap_or(&0),
        found.authors.len(),
    )
}

/// A bar on a terminal, nothing elsewhere.
fn bar(length: u64, verb: &'static str, figures: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {figures} {{eta}}"));
    let bar = ProgressBar::new(length).with_message(verb);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
