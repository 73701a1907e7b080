//! An archive from elsewhere as a group: its people and its messages are found again when it is brought
//! in once more.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

use super::{Group, History, ImportedRef, Member, Person, ROWS, group_in, members_in, people_in};
use crate::{
    db::{self, Db, Tx},
    domain::{participants, users},
    entity::{conversation, message, participant::ParticipantRole, user},
    error::Error,
    id::{self, ConversationId, MessageId, ParticipantId, UserId},
};

/// Longest username.
const USERNAME_LENGTH: usize = 32;
/// Keys of messages from archives start so; the rest is a digest of their name there.
const KEY_PREFIX: &str = "mail:";

/// Somebody who wrote in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Their name, if they gave one.
    pub name: Option<String>,
    /// Their address, by which they are known again.
    pub address: String,
}

/// The group that an archive goes into.
#[derive(Debug)]
pub struct Archive {
    /// Its conversation.
    pub id: ConversationId,
    /// The people behind the authors, in the same order.
    pub people: Vec<UserId>,
    /// The messages that are there already.
    pub history: History,
    /// Their numbers in the history, by key.
    pub numbers: HashMap<String, usize>,
}

/// The key under which a message of the archive is kept.
#[must_use]
pub fn key(name: &str) -> String {
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    let hex: Vec<String> = digest
        .as_ref()
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{KEY_PREFIX}{}", hex.concat())
}

/// Finds or makes the group with this title, with all authors and these owners in it. Authors get
/// accounts without a password, unless there is one with their address.
pub async fn open(
    db: &Db,
    title: &str,
    authors: &[Author],
    owners: &[UserId],
    deepest: i32,
    at: DateTime<Utc>,
) -> Result<Archive, Error> {
    let digest = digest::digest(&digest::SHA256, format!("archive {title}").as_bytes());
    let name = digest
        .as_ref()
        .first_chunk::<16>()
        .copied()
        .unwrap_or_default();
    let group = Group {
        id: ConversationId(id::from_digest(name)),
        title: title.to_owned(),
        topic: None,
        at,
    };
    let group = &group;
    let people = db
        .write(|tx| async move {
            let people = authors_in(&tx, authors, at).await?;
            join_in(&tx, group, &people, owners).await?;
            Ok(people)
        })
        .await?;
    let (history, numbers) = messages(db, group.id, deepest).await?;
    Ok(Archive {
        id: group.id,
        people,
        history,
        numbers,
    })
}

/// Sets the owners' marks after the last message: what was brought in is no news to them.
pub async fn mark_read(db: &Db, archive: &Archive, owners: &[UserId]) -> Result<(), Error> {
    if owners.is_empty() {
        return Ok(());
    }
    // SQL, because the new value is a subquery that depends on the row.
    let text = &format!(
        "UPDATE participant SET read_floor_seq =
             (SELECT last_seq FROM conversation WHERE id = participant.conversation_id)
         WHERE conversation_id = ? AND user_id IN ({})",
        db::placeholders(owners.len())
    );
    db.write(|tx| async move {
        let ids = owners.iter().map(|id| (*id).into());
        let values: Vec<_> = std::iter::once(archive.id.into()).chain(ids).collect();
        db::execute(&*tx, text, values).await
    })
    .await?;
    Ok(())
}

/// The accounts behind addresses, made where there are none.
async fn authors_in(tx: &Tx, authors: &[Author], at: DateTime<Utc>) -> Result<Vec<UserId>, Error> {
    let mut found = HashMap::new();
    for some in authors.chunks(ROWS) {
        let keys: Vec<String> = some
            .iter()
            .map(|author| users::key(&author.address))
            .collect();
        let rows = user::Entity::find()
            .filter(user::Column::EmailKey.is_in(keys))
            .all(tx)
            .await?;
        found.extend(
            rows.into_iter()
                .filter_map(|row| Some((row.email_key?, row.id))),
        );
    }
    let mut taken = HashSet::new();
    for some in authors.chunks(ROWS) {
        let names = some.iter().flat_map(|author| usernames(&author.address));
        let rows = user::Entity::find()
            .filter(user::Column::UsernameKey.is_in(names))
            .all(tx)
            .await?;
        taken.extend(rows.into_iter().map(|row| row.username_key));
    }
    let mut people = Vec::with_capacity(authors.len());
    let mut new = Vec::new();
    for author in authors {
        let key = users::key(&author.address);
        if let Some(id) = found.get(&key) {
            people.push(*id);
            continue;
        }
        let names = usernames(&author.address).into_iter();
        let username = names.into_iter().find(|name| taken.insert(name.clone()));
        let username =
            username.ok_or_else(|| Error::conflict("All usernames for an author are taken."))?;
        let id = UserId::mint();
        found.insert(key, id);
        people.push(id);
        new.push(Person {
            id,
            display_name: author.name.clone().unwrap_or_else(|| username.clone()),
            username,
            email: Some(author.address.clone()),
            password_hash: None,
            at,
        });
    }
    people_in(tx, &new).await?;
    Ok(people)
}

/// Usernames for an address, the most wanted first: what stands before the `@`, as far as a username
/// can hold it; the same with a bit of a digest; the digest.
fn usernames(address: &str) -> [String; 3] {
    let digest = digest::digest(&digest::SHA256, address.as_bytes());
    let hex: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let [some, all] = [2, 12].map(|bytes| hex.iter().take(bytes).cloned().collect::<String>());
    let local = address
        .split('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    let name: String = local
        .chars()
        .map(|char| if allowed(char) { char } else { '-' })
        .take(USERNAME_LENGTH - 1 - some.len())
        .collect();
    let name = name.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    let name = match name.len() {
        0 => "person".to_owned(),
        1 => format!("person-{name}"),
        _ => name.to_owned(),
    };
    [
        name.clone(),
        format!("{name}-{some}"),
        format!("person-{all}"),
    ]
}

async fn join_in(
    tx: &Tx,
    group: &Group,
    people: &[UserId],
    owners: &[UserId],
) -> Result<(), Error> {
    let existing = conversation::Entity::find_by_id(group.id).one(tx).await?;
    if existing.is_none() {
        group_in(tx, group).await?;
    }
    let present = participants::ids_in(tx, group.id).await?;
    let mut present: HashSet<UserId> = present.into_iter().collect();
    let as_owners = owners.iter().map(|user| (*user, ParticipantRole::Owner));
    let as_members = people.iter().map(|user| (*user, ParticipantRole::Member));
    let members: Vec<Member> = as_owners
        .chain(as_members)
        .filter(|(user, _)| present.insert(*user))
        .map(|(user, role)| Member {
            id: ParticipantId::mint(),
            user,
            role,
            read_floor_seq: 0,
        })
        .collect();
    members_in(tx, group.id, &members, group.at).await
}

#[derive(FromQueryResult)]
struct Found {
    id: MessageId,
    sender_id: Option<UserId>,
    parent_id: Option<MessageId>,
    root_id: Option<MessageId>,
    depth: i32,
    path: Vec<u8>,
    client_message_id: String,
}

/// The messages that were brought in before; those that people sent since are not answered by mails.
async fn messages(
    db: &Db,
    id: ConversationId,
    deepest: i32,
) -> Result<(History, HashMap<String, usize>), Error> {
    let rows: Vec<Found> = message::Entity::find()
        .select_only()
        .columns([
            message::Column::Id,
            message::Column::SenderId,
            message::Column::ParentId,
            message::Column::RootId,
            message::Column::Depth,
            message::Column::Path,
            message::Column::ClientMessageId,
        ])
        .filter(message::Column::ConversationId.eq(id))
        .filter(message::Column::ClientMessageId.starts_with(KEY_PREFIX))
        .order_by_asc(message::Column::Seq)
        .into_model()
        .all(db.read())
        .await?;
    let mut history = History::new(id, deepest);
    let mut by_id = HashMap::with_capacity(rows.len());
    let mut numbers = HashMap::with_capacity(rows.len());
    for row in rows {
        by_id.insert(row.id, history.len());
        numbers.insert(row.client_message_id, history.len());
        history.remember(ImportedRef {
            id: row.id,
            sender: row.sender_id,
            parent: row.parent_id.and_then(|parent| by_id.get(&parent).copied()),
            root: row.root_id.unwrap_or(row.id),
            depth: row.depth,
            path: row.path,
        });
    }
    Ok((history, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_follow_from_addresses() {
        for (address, name) in [
            ("ann.lee@example.com", "ann.lee"),
            ("Ann+list@example.com", "ann-list"),
            ("x@example.com", "person-x"),
            ("_@example.com", "person"),
            ("-ann-@example.com", "ann"),
            (
                "sjayaraman-l3a5bk7wagm-and-more-of-it@example.com",
                "sjayaraman-l3a5bk7wagm-and",
            ),
        ] {
            let names = usernames(address);
            assert_eq!(names.first().map(String::as_str), Some(name));
            assert!(
                names.iter().all(|name| name.len() <= USERNAME_LENGTH),
                "{names:?}"
            );
        }
    }
}
