//! Imports a mail archive as a group. A repeated import finds the existing users and messages again.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};

use super::{
    History, ImportedGroup, ImportedMember, ImportedRef, ROWS, claim, claim_in, group_in,
    members_in, people_in,
};
use crate::{
    db::{Db, Tx},
    domain::{conversations, participants, predicates, text, users::NewUser},
    entity::{
        conversation, message,
        participant::{self, ParticipantRole},
        thread, user,
    },
    error::Error,
    id::{self, ConversationId, MessageId, ParticipantId, UserId},
};

/// The maximum length of a username.
const USERNAME_MAX: usize = 32;
/// The prefix of the keys of imported messages. The rest is a digest of the name in the archive.
const KEY_PREFIX: &str = "mail:";

/// The name of authors who have neither a name nor an address.
const UNKNOWN_SENDER: &str = "Unknown sender";

/// The part of a fingerprint that a key contains, in characters.
const FINGERPRINT_CHARS: usize = 16;

/// An author in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The name, if there is one.
    pub name: Option<String>,
    /// The email address, if there is one.
    pub address: Option<String>,
}

impl Author {
    /// Returns what identifies the author: the address, or else the name, but only in this group, because many people
    /// have the same name. RFC 2606 reserves `.invalid` for addresses that do not exist.
    fn identity(&self, group: ConversationId) -> String {
        match &self.address {
            Some(address) => address.clone(),
            None => format!(
                "{}@{group}.invalid",
                self.name.as_deref().unwrap_or(UNKNOWN_SENDER)
            ),
        }
    }
}

/// The group of an imported archive.
#[derive(Debug)]
pub struct Archive {
    /// The id of the group.
    pub id: ConversationId,
    /// The users of the authors, in the same order.
    pub users: Vec<UserId>,
    /// The messages that earlier imports inserted.
    pub history: History,
    /// The index of each message in the history, by key.
    pub numbers: HashMap<String, usize>,
}

/// Validates the title of the group and trims it.
pub fn title(text: &str) -> Result<String, Error> {
    let mut problems = vec![];
    let title = conversations::title(text, &mut problems);
    Error::check(problems)?;
    Ok(title)
}

/// Returns the key of a mail. Two mails with the same id and different content have different keys.
#[must_use]
pub fn key(id: &str, fingerprint: &str) -> String {
    let fingerprint: String = fingerprint.chars().take(FINGERPRINT_CHARS).collect();
    format!("{}:{fingerprint}", key_of_id(id))
}

/// Returns the key of a mail as earlier versions stored it.
#[must_use]
pub fn key_of_id(id: &str) -> String {
    let digest = digest::digest(&digest::SHA256, id.as_bytes());
    format!("{KEY_PREFIX}{}", text::hex(digest.as_ref().iter().take(20)))
}

/// Finds or creates the group with this title, its authors and its owners. Each author becomes a user without a password
/// and without an email address, because the address in a mail is not proof of identity. With `matches_verified`, the
/// authors whose address an account has verified are that account, also in earlier imports.
pub async fn open(
    db: &Db,
    title: &str,
    authors: &[Author],
    owners: &[UserId],
    max_depth: i32,
    at: DateTime<Utc>,
    matches_verified: bool,
) -> Result<Archive, Error> {
    let digest = digest::digest(&digest::SHA256, format!("archive {title}").as_bytes());
    let name = digest
        .as_ref()
        .first_chunk::<16>()
        .copied()
        .unwrap_or_default();
    let group = ImportedGroup {
        id: ConversationId(id::from_digest(name)),
        title: title.to_owned(),
        topic: None,
        at,
    };
    let group = &group;
    let users = db
        .write(|tx| async move {
            let users = authors_in(&tx, group, authors, matches_verified).await?;
            join_in(&tx, group, &users, owners).await?;
            Ok(users)
        })
        .await?;
    let (history, numbers) = messages(db, group.id, max_depth).await?;
    Ok(Archive {
        id: group.id,
        users,
        history,
        numbers,
    })
}

/// The number of threads that the API lists in a group.
pub async fn thread_count(db: &Db, group: ConversationId) -> Result<u64, Error> {
    let threads = thread::Entity::find()
        .inner_join(message::Entity)
        .filter(thread::Column::ConversationId.eq(group))
        .filter(thread::Column::ReplyCount.gt(0))
        .filter(predicates::is_shown());
    Ok(threads.count(db.read()).await?)
}

/// Whether someone owns a group and can manage it.
pub async fn has_owner(db: &Db, group: ConversationId) -> Result<bool, Error> {
    let owners = participant::Entity::find()
        .filter(participant::Column::ConversationId.eq(group))
        .filter(participant::Column::Role.eq(ParticipantRole::Owner));
    Ok(owners.count(db.read()).await? > 0)
}

/// Usernames of so many accounts that could own a group.
pub async fn possible_owners(db: &Db, most: u64) -> Result<Vec<String>, Error> {
    let accounts = user::Entity::find()
        .select_only()
        .column(user::Column::Username)
        .filter(user::Column::PasswordHash.is_not_null())
        .order_by_asc(user::Column::CreatedAt)
        .order_by_asc(user::Column::Username)
        .limit(most)
        .into_tuple();
    Ok(accounts.all(db.read()).await?)
}

/// Marks all messages read for the owners, so that imported ones do not count as unread.
pub async fn mark_read(db: &Db, archive: &Archive, owners: &[UserId]) -> Result<(), Error> {
    if owners.is_empty() {
        return Ok(());
    }
    db.write(|tx| async move {
        let last_seq: Option<i32> = conversation::Entity::find_by_id(archive.id)
            .select_only()
            .column(conversation::Column::LastSeq)
            .into_tuple()
            .one(&*tx)
            .await?;
        participant::Entity::update_many()
            .col_expr(
                participant::Column::ReadFloorSeq,
                Expr::value(last_seq.unwrap_or_default()),
            )
            .filter(participant::Column::ConversationId.eq(archive.id))
            .filter(participant::Column::UserId.is_in(owners.iter().copied()))
            .exec(&*tx)
            .await?;
        Ok(())
    })
    .await
}

/// Finds the users of the authors, and creates the missing ones.
async fn authors_in(
    tx: &Tx,
    group: &ImportedGroup,
    authors: &[Author],
    matches_verified: bool,
) -> Result<Vec<UserId>, Error> {
    let identities: Vec<String> = authors
        .iter()
        .map(|author| author.identity(group.id))
        .collect();
    let mut found = HashMap::new();
    let verified = if matches_verified {
        let keys: Vec<String> = identities
            .iter()
            .map(|identity| text::email_key(identity))
            .collect();
        claim::verified_in(tx, &keys).await?
    } else {
        HashMap::new()
    };
    for account in verified.values() {
        claim_in(tx, *account, group.at).await?;
    }
    for some in identities.chunks(ROWS) {
        let keys: Vec<String> = some
            .iter()
            .map(|identity| text::email_key(identity))
            .collect();
        let rows = user::Entity::find()
            .filter(user::Column::ImportKey.is_in(keys))
            .all(tx)
            .await?;
        found.extend(
            rows.into_iter()
                .filter_map(|row| Some((row.import_key?, row.id))),
        );
    }
    found.extend(verified);
    let mut taken = HashSet::new();
    for some in identities.chunks(ROWS) {
        let names = some.iter().flat_map(|identity| usernames(identity));
        let rows = user::Entity::find()
            .filter(user::Column::UsernameKey.is_in(names))
            .all(tx)
            .await?;
        taken.extend(rows.into_iter().map(|row| row.username_key));
    }
    let mut all = Vec::with_capacity(authors.len());
    let mut new = Vec::new();
    for (author, identity) in authors.iter().zip(identities) {
        let key = text::email_key(&identity);
        if let Some(id) = found.get(&key) {
            all.push(*id);
            continue;
        }
        let names = usernames(&identity).into_iter();
        let username = names.into_iter().find(|name| taken.insert(name.clone()));
        let username = username.ok_or_else(|| {
            Error::conflict(
                "All usernames for an author are taken. Rename the account that has them.",
            )
        })?;
        let id = UserId::mint();
        found.insert(key.clone(), id);
        all.push(id);
        let unknown = || match author.address {
            Some(_) => username.clone(),
            None => UNKNOWN_SENDER.to_owned(),
        };
        let user = NewUser {
            id,
            display_name: author.name.clone().unwrap_or_else(unknown),
            username,
            email: None,
            password_hash: None,
            at: group.at,
        };
        new.push((user, key));
    }
    people_in(tx, &new).await?;
    Ok(all)
}

/// Returns usernames for an address, the best first: the part before the `@`, reduced to the characters of a username;
/// the same with a part of a digest; and the digest.
fn usernames(address: &str) -> [String; 3] {
    let digest = digest::digest(&digest::SHA256, address.as_bytes());
    let [some, all] = [2, 12].map(|bytes| text::hex(digest.as_ref().iter().take(bytes)));
    let local = address
        .split('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    let name: String = local
        .chars()
        .map(|char| if allowed(char) { char } else { '-' })
        .take(USERNAME_MAX - 1 - some.len())
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
    group: &ImportedGroup,
    users: &[UserId],
    owners: &[UserId],
) -> Result<(), Error> {
    let existing = conversation::Entity::find_by_id(group.id).one(tx).await?;
    if existing.is_none() {
        group_in(tx, group).await?;
    }
    let present = participants::ids_in(tx, group.id).await?;
    let mut present: HashSet<UserId> = present.into_iter().collect();
    let as_owners = owners.iter().map(|user| (*user, ParticipantRole::Owner));
    let as_members = users.iter().map(|user| (*user, ParticipantRole::Member));
    let members: Vec<ImportedMember> = as_owners
        .chain(as_members)
        .filter(|(user, _)| present.insert(*user))
        .map(|(user, role)| ImportedMember {
            id: ParticipantId::mint(),
            user,
            role,
            read_floor_seq: 0,
        })
        .collect();
    members_in(tx, group.id, &members, group.at).await?;
    // An author or an earlier participant may be named as an owner later.
    participants::update_role(ParticipantRole::Owner)
        .filter(participant::Column::ConversationId.eq(group.id))
        .filter(participant::Column::UserId.is_in(owners.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Found {
    id: MessageId,
    sender_id: Option<UserId>,
    parent_id: Option<MessageId>,
    root_id: Option<MessageId>,
    depth: i32,
    path: Vec<u8>,
    branch_seq: Option<i32>,
    import_key: String,
}

/// Loads the messages of earlier imports. Messages that users sent are not included, because no mail replies to them.
async fn messages(
    db: &Db,
    id: ConversationId,
    max_depth: i32,
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
            message::Column::BranchSeq,
            message::Column::ImportKey,
        ])
        .filter(message::Column::ConversationId.eq(id))
        .filter(message::Column::ImportKey.is_not_null())
        .order_by_asc(message::Column::Seq)
        .into_model()
        .all(db.read())
        .await?;
    let mut history = History::new(id, max_depth);
    let mut by_id = HashMap::with_capacity(rows.len());
    let mut numbers = HashMap::with_capacity(rows.len());
    for row in rows {
        by_id.insert(row.id, history.len());
        numbers.insert(row.import_key, history.len());
        history.remember(ImportedRef {
            id: row.id,
            sender: row.sender_id,
            parent: row.parent_id.and_then(|parent| by_id.get(&parent).copied()),
            root: row.root_id.unwrap_or(row.id),
            depth: row.depth,
            path: row.path,
            branch_seq: row.branch_seq,
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
                names.iter().all(|name| name.len() <= USERNAME_MAX),
                "{names:?}"
            );
        }
    }
}
