//! Conversations of any size: a few large, many small, half of the messages replies.

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::lorem;
use crate::{
    cli::error::CliError,
    config::Config,
    db::Db,
    domain::import::{self, History, ImportedGroup, ImportedMember, ImportedMessage, ImportedUser},
    entity::participant::ParticipantRole,
    error::Error,
    id::{self, ConversationId, MessageId, ParticipantId, UserId},
};

/// Messages in one transaction: enough that waiting for the disk does not count.
const AT_ONCE: usize = 5000;
/// Deepest level of replies.
const DEEPEST: i32 = 8;
/// Most people in one conversation.
const PEOPLE: usize = 500;
/// All of it happened in this time.
const DAYS: i64 = 300;
/// When it began, in seconds: 2025-01-01.
const BEGINNING: i64 = 1_735_689_600;
/// Replies go to one of this many last messages, mostly.
const RECENT: usize = 40;

/// How much to make up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) users: usize,
    pub(super) conversations: usize,
    pub(super) messages: usize,
    pub(super) seed: u32,
}

/// One conversation with everything in it.
struct Chapter {
    group: ImportedGroup,
    members: Vec<ImportedMember>,
    messages: Vec<ImportedMessage>,
}

/// The people, all with the same password.
pub(super) fn people(scale: Scale, password_hash: &str) -> Vec<ImportedUser> {
    let mut rng = rng(scale.seed, 0);
    let at = beginning();
    (1..=scale.users)
        .map(|number| {
            let (first, last) = lorem::name(&mut rng);
            let username = format!("{}{number}.s{}", first.to_lowercase(), scale.seed);
            ImportedUser {
                id: UserId(id::from_time(at, rng.random())),
                email: Some(format!("{username}@example.org")),
                username,
                display_name: format!("{first} {last}"),
                password_hash: Some(password_hash.to_owned()),
                at,
            }
        })
        .collect()
}

/// Makes up the conversations and writes them.
pub(super) async fn write(
    config: &Config,
    db: &Db,
    scale: Scale,
    people: &[ImportedUser],
) -> Result<(), CliError> {
    let deepest = DEEPEST.min(config.thread_depth);
    let mut waiting: Vec<Chapter> = Vec::new();
    let mut count = 0;
    for (number, size) in shares(scale.messages, scale.conversations)
        .into_iter()
        .enumerate()
    {
        let chapter = chapter(scale.seed, number, size, people);
        if size > AT_ONCE {
            write_long(db, deepest, &chapter).await?;
            continue;
        }
        count += size + 1;
        waiting.push(chapter);
        if count > AT_ONCE {
            write_short(db, deepest, &waiting).await?;
            waiting.clear();
            count = 0;
        }
    }
    write_short(db, deepest, &waiting).await?;
    Ok(())
}

async fn write_short(db: &Db, deepest: i32, chapters: &[Chapter]) -> Result<(), Error> {
    db.write(|tx| async move {
        for Chapter {
            group,
            members,
            messages,
        } in chapters
        {
            import::group_in(&tx, group).await?;
            import::members_in(&tx, group.id, members, group.at).await?;
            History::new(group.id, deepest)
                .append_in(&tx, messages)
                .await?;
        }
        Ok(())
    })
    .await
}

async fn write_long(db: &Db, deepest: i32, chapter: &Chapter) -> Result<(), Error> {
    let Chapter {
        group,
        members,
        messages,
    } = chapter;
    let mut history = History::new(group.id, deepest);
    for some in messages.chunks(AT_ONCE) {
        let before = &history;
        let known = db
            .write(|tx| async move {
                if before.is_empty() {
                    import::group_in(&tx, group).await?;
                    import::members_in(&tx, group.id, members, group.at).await?;
                }
                before.append_in(&tx, some).await
            })
            .await?;
        for known in known {
            history.remember(known);
        }
    }
    Ok(())
}

fn chapter(seed: u32, number: usize, size: usize, people: &[ImportedUser]) -> Chapter {
    let mut rng = rng(seed, number + 1);
    let at = beginning();
    let group = ImportedGroup {
        id: ConversationId(id::from_time(at, rng.random())),
        title: lorem::title(&mut rng),
        topic: None,
        at,
    };
    let members = members(&mut rng, number, size, people, at);
    let messages = messages(&mut rng, size, &members);
    Chapter {
        group,
        members,
        messages,
    }
}

fn members(
    rng: &mut StdRng,
    number: usize,
    size: usize,
    people: &[ImportedUser],
    at: DateTime<Utc>,
) -> Vec<ImportedMember> {
    let count = (people.len() / (number + 1))
        .clamp(2, PEOPLE)
        .min(people.len());
    // Neighbours in a circle: everybody is somewhere, and nobody twice.
    let first = rng.random_range(0..people.len());
    let circle = people.iter().cycle().skip(first).take(count);
    let last_seq = i32::try_from(size).unwrap_or(i32::MAX);
    circle
        .enumerate()
        .map(|(index, person)| ImportedMember {
            id: ParticipantId(id::from_time(at, rng.random())),
            user: person.id,
            role: if index == 0 {
                ParticipantRole::Owner
            } else {
                ParticipantRole::Member
            },
            // Half of the people have read everything, the others miss a little.
            read_floor_seq: if rng.random() {
                last_seq
            } else {
                (last_seq - rng.random_range(0..50)).max(0)
            },
        })
        .collect()
}

fn messages(rng: &mut StdRng, size: usize, members: &[ImportedMember]) -> Vec<ImportedMessage> {
    let steps = i64::try_from(size).unwrap_or(i64::MAX).max(1);
    let step = (TimeDelta::days(DAYS).num_milliseconds() / steps).max(1);
    let mut at = beginning();
    (0..size)
        .filter_map(|number| {
            at += TimeDelta::milliseconds(rng.random_range(0..step));
            let sender = members.get(lorem::skewed(rng, members.len()))?;
            let is_reply = number > 0 && rng.random();
            Some(ImportedMessage {
                id: MessageId(id::from_time(at, rng.random())),
                sender: sender.user,
                parent: is_reply.then(|| parent(rng, number)),
                at,
                body: lorem::sentence(rng),
                key: None,
            })
        })
        .collect()
}

/// Mostly one of the last messages, now and then any.
fn parent(rng: &mut StdRng, number: usize) -> usize {
    let back = if rng.random_range(0..8) == 0 {
        number
    } else {
        number.min(RECENT)
    };
    number - 1 - lorem::skewed(rng, back)
}

/// How many messages each conversation gets: the n-th a share of 1/n.
fn shares(messages: usize, conversations: usize) -> Vec<usize> {
    const UNIT: u64 = 1 << 32;
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let weight = |number: usize| UNIT / wide(number + 1);
    let whole: u64 = (0..conversations).map(weight).sum();
    let share = |number| {
        let share =
            u128::from(wide(messages)) * u128::from(weight(number)) / u128::from(whole.max(1));
        usize::try_from(share).unwrap_or(0)
    };
    let mut shares: Vec<usize> = (0..conversations).map(share).collect();
    let rest = messages - shares.iter().sum::<usize>();
    if let Some(first) = shares.first_mut() {
        *first += rest;
    }
    shares
}

fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(BEGINNING)
}

/// Each conversation has its own, so that what is in one does not depend on how the others are written.
fn rng(seed: u32, number: usize) -> StdRng {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    StdRng::seed_from_u64((u64::from(seed) << 32) ^ number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_shrink() {
        for (messages, conversations) in [(1_000, 10), (7, 20), (1, 1), (100_000, 3)] {
            let shares = shares(messages, conversations);
            assert_eq!(shares.len(), conversations);
            assert_eq!(shares.iter().sum::<usize>(), messages);
            assert!(
                shares.is_sorted_by(|left, right| left >= right),
                "{shares:?}"
            );
        }
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let scale = Scale {
            users: 9,
            conversations: 3,
            messages: 300,
            seed: 7,
        };
        let told = |seed| {
            let people = people(Scale { seed, ..scale }, "hash");
            let chapter = chapter(seed, 1, 100, &people);
            format!(
                "{:?} {:?} {:?} {people:?}",
                chapter.group, chapter.members, chapter.messages
            )
        };
        assert_eq!(told(7), told(7));
        assert_ne!(told(7), told(8));
    }

    #[test]
    fn half_of_the_messages_are_replies() {
        let people = people(
            Scale {
                users: 9,
                conversations: 1,
                messages: 1,
                seed: 7,
            },
            "hash",
        );
        let messages = chapter(7, 0, 10_000, &people).messages;
        let replies = messages
            .iter()
            .filter(|message| message.parent.is_some())
            .count();
        assert!((4_700..5_300).contains(&replies), "{replies}");
    }
}
