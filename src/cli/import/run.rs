//! `heddle import mbox`: reads the archive once to build the threads and again for the texts, so that it may exceed the
//! memory.

use std::{
    collections::HashMap,
    io::{BufReader, Seek, SeekFrom},
    ops::RangeInclusive,
    path::Path,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{
    mbox::Mbox,
    progress::bar,
    scan::{self, Scan, ScannedMail},
    source::MailSource,
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
            archive::{self, Archive},
        },
        users,
    },
    id::{MessageId, UserId},
};

/// The maximum number of messages in one transaction, and of their bytes.
const BATCH_SIZE: usize = 1000;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

pub(super) async fn run(
    config: &Config,
    file: &Path,
    title: &str,
    owners: &[String],
    matches_verified: bool,
) -> Result<(), CliError> {
    let title = archive::title(title)?;
    let now = Clock::default().now();
    let first = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default();
    let plausible = first.and_time(chrono::NaiveTime::MIN).and_utc()..=now + TimeDelta::days(1);
    let mut source = MailSource::open(file)?;
    let scan = Scan::read(&mut source, &plausible)
        .map_err(|error| CliError::because(format!("{}: {error}", file.display())))?;
    if scan.headers.is_empty() {
        print_positions(&scan);
        return Err(source.no_mails(file));
    }
    let threaded = threading::thread(&scan.headers);
    let db = migrate::ready(config).await?;
    let outcome = store(
        config,
        &db,
        &mut source,
        &plausible,
        &scan,
        &threaded,
        &title,
        owners,
        matches_verified,
    )
    .await;
    db.close().await?;
    let stored = outcome?;
    print_positions(&scan);
    output::line(report(&scan, &threaded, &stored));
    if let Some(accounts) = stored.without_owner {
        output::line(offer(&accounts));
    }
    Ok(())
}

/// Prints each mail that is left out, and each that is changed.
fn print_positions(scan: &Scan) {
    for mail in &scan.left_out {
        output::line(format!("left out: {mail}"));
    }
    for mail in &scan.changed {
        output::line(format!("changed: {mail}"));
    }
}

/// The number of imported messages, and of those that an earlier import stored; and what the group contains now.
#[derive(Default)]
struct Stored {
    new: usize,
    existing: usize,
    threads: u64,
    /// Set if no one owns the group: some accounts that could.
    without_owner: Option<Vec<String>>,
}

/// How many accounts are offered as owners.
const OFFERED: u64 = 5;

/// Offers to make an account the owner.
fn offer(accounts: &[String]) -> String {
    let which = if accounts.is_empty() {
        "create one first with heddle admin create".to_owned()
    } else {
        format!("for example {}", accounts.join(", "))
    };
    format!(
        "No one owns this group, so no one can add people or change it. To name an owner, run the command again with \
         --owner USERNAME; {which}."
    )
}

#[expect(
    clippy::too_many_arguments,
    reason = "called once, from the steps above"
)]
async fn store(
    config: &Config,
    db: &Db,
    source: &mut MailSource,
    plausible: &RangeInclusive<DateTime<Utc>>,
    scan: &Scan,
    threaded: &[ThreadedMail],
    title: &str,
    owners: &[String],
    matches_verified: bool,
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
    let mut archive = archive::open(
        db,
        title,
        &scan.authors,
        &owners,
        depth,
        start,
        matches_verified,
    )
    .await?;
    let is_first = archive.history.is_empty();
    let (pending, mut stored) = assign_indexes(&mut archive, scan, threaded);
    let bar = bar(
        u64::try_from(pending.len()).unwrap_or(u64::MAX),
        "storing",
        "{pos}/{len}",
    );
    let mut pending = pending.into_iter().peekable();
    while pending.peek().is_some() {
        let mut messages = Vec::new();
        let mut bytes = 0;
        while let Some(mail) =
            pending.next_if(|_| messages.len() < BATCH_SIZE && bytes < BATCH_BYTES)
        {
            let message = read_message(source, plausible, &archive, &mail)?;
            bytes += message.body.len();
            messages.push(message);
        }
        let (history, batch) = (&archive.history, &messages);
        let known = db
            .write(|tx| async move { history.append_in(&tx, batch).await })
            .await?;
        for known in known {
            archive.history.remember(known);
        }
        bar.inc(u64::try_from(messages.len()).unwrap_or(0));
    }
    if is_first {
        archive::mark_read(db, &archive, &owners).await?;
    }
    bar.finish_and_clear();
    stored.threads = archive::thread_count(db, archive.id).await?;
    if !archive::has_owner(db, archive.id).await? {
        stored.without_owner = Some(archive::possible_owners(db, OFFERED).await?);
    }
    Ok(stored)
}

/// A mail to store.
struct PendingMail<'a> {
    header: &'a MailHeader,
    mail: &'a ScannedMail,
    parent: Option<usize>,
    /// Whether its topic differs from that of its thread, or it starts one.
    with_subject: bool,
}

/// Assigns each mail its index in the history. Mails of an earlier import keep theirs.
fn assign_indexes<'a>(
    archive: &mut Archive,
    scan: &'a Scan,
    threaded: &[ThreadedMail],
) -> (Vec<PendingMail<'a>>, Stored) {
    // Earlier versions stored only the first mail of each id, and its key without a fingerprint.
    let mut first_of_id: HashMap<&str, usize> = HashMap::with_capacity(scan.headers.len());
    for (index, header) in scan.headers.iter().enumerate() {
        first_of_id.entry(&header.message_id).or_insert(index);
    }
    let mut indexes = Vec::with_capacity(threaded.len());
    let mut topics: Vec<u64> = Vec::with_capacity(threaded.len());
    let mut pending = Vec::new();
    let mut stored = Stored::default();
    for place in threaded {
        let Some((header, mail)) = scan
            .headers
            .get(place.header)
            .zip(scan.mails.get(place.header))
        else {
            continue;
        };
        let topic = place.parent.and_then(|parent| topics.get(parent));
        let with_subject = topic.is_none_or(|topic| *topic != mail.topic);
        topics.push(topic.copied().unwrap_or(mail.topic));
        let is_first = first_of_id.get(header.message_id.as_str()) == Some(&place.header);
        let earlier = is_first.then(|| archive::key_of_id(&header.message_id));
        let index = archive.numbers.get(&mail.key);
        let index = index.or_else(|| archive.numbers.get(&earlier?)).copied();
        indexes.push(index.unwrap_or(archive.history.len() + pending.len()));
        if index.is_some() {
            stored.existing += 1;
            continue;
        }
        stored.new += 1;
        let parent = place.parent.and_then(|parent| indexes.get(parent).copied());
        pending.push(PendingMail {
            header,
            mail,
            parent,
            with_subject,
        });
    }
    (pending, stored)
}

fn read_message(
    source: &mut MailSource,
    plausible: &RangeInclusive<DateTime<Utc>>,
    archive: &Archive,
    pending: &PendingMail<'_>,
) -> Result<ImportedMessage, CliError> {
    let changed = || CliError::because("the file changed during the import; run the command again");
    let PendingMail {
        header,
        mail,
        parent,
        with_subject,
    } = pending;
    source.file.seek(SeekFrom::Start(mail.offset))?;
    let entry = Mbox::new(BufReader::new(&mut source.file), mail.offset)
        .next()
        .ok_or_else(changed)??;
    let content = scan::parse(&entry, plausible)
        .ok()
        .filter(|content| archive::key(&content.message_id, &content.fingerprint) == mail.key)
        .ok_or_else(changed)?;
    Ok(ImportedMessage {
        id: MessageId::mint(),
        sender: archive
            .users
            .get(mail.author)
            .copied()
            .ok_or_else(changed)?,
        parent: *parent,
        at: header.written_at,
        body: content.body(*with_subject),
        key: Some(mail.key.clone()),
    })
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

fn report(scan: &Scan, threaded: &[ThreadedMail], stored: &Stored) -> String {
    let mut depths: Vec<usize> = Vec::with_capacity(threaded.len());
    for mail in threaded {
        let parent = mail.parent.and_then(|parent| depths.get(parent));
        depths.push(parent.map_or(0, |depth| depth + 1));
    }
    let left_out = scan.doubles + scan.unreadable;
    let threads = match stored.threads {
        1 => "1 thread".to_owned(),
        count => format!("{count} threads"),
    };
    format!(
        "{} mails found: {} imported, {} here before, {left_out} left out ({} doubles, {} unreadable); {} attachments \
         left out.\nTotal: {threads}, the deepest with {} levels of replies, by {} authors.",
        scan.headers.len() + left_out,
        stored.new,
        stored.existing,
        scan.doubles,
        scan.unreadable,
        scan.attachments,
        depths.iter().max().unwrap_or(&0),
        scan.authors.len(),
    )
}
