//! The benchmark data: a few large conversations and many small ones. Half of the messages are replies.

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::lorem;
use crate::{
    cli::error::CliError,
    config::Config,
    db::Db,
    domain::{
        import::{self, History, ImportedGroup, ImportedMember, ImportedMessage},
        users::NewUser,
    },
    entity::participant::ParticipantRole,
    error::Error,
    id::{self, ConversationId, MessageId, ParticipantId, UserId},
};

/// Messages in one transaction. The number is large, so that the cost of a commit is negligible.
const BATCH_SIZE: usize = 5000;
/// Maximum depth of replies.
const MAX_DEPTH: i32 = 8;
/// Maximum participants in one conversation.
const MAX_PARTICIPANTS: usize = 500;
/// The number of days over which the messages are distributed.
const DAYS: i64 = 300;
/// The time of the first message, in seconds: 2025-01-01.
const START: i64 = 1_735_689_600;
/// Most replies have one of this many previous messages as their parent.
const RECENT: usize = 40;

/// The amount of data to generate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) users: usize,
    pub(super) conversations: usize,
    pub(super) messages: usize,
    pub(super) seed: u32,
}

/// One conversation with its members and messages.
struct GeneratedConversation {
    group: ImportedGroup,
    members: Vec<ImportedMember>,
    messages: Vec<ImportedMessage>,
}

/// Generates the users. All have the same password.
pub(super) fn users(scale: Scale, password_hash: &str) -> Vec<NewUser> {
    let mut rng = rng(scale.seed, 0);
    let at = start();
    (1..=scale.users)
        .map(|number| {
            let (first, last) = lorem::name(&mut rng);
            let username = format!("{}{number}.s{}", first.to_lowercase(), scale.seed);
            NewUser {
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

/// Generates the conversations and stores them.
pub(super) async fn write(
    config: &Config,
    db: &Db,
    scale: Scale,
    users: &[NewUser],
) -> Result<(), CliError> {
    let max_depth = config.thread_depth;
    let mut pending: Vec<GeneratedConversation> = Vec::new();
    let mut count = 0;
    for (number, size) in shares(scale.messages, scale.conversations)
        .into_iter()
        .enumerate()
    {
        let conversation = generate_conversation(scale.seed, number, size, users);
        if size > BATCH_SIZE {
            write_large(db, max_depth, &conversation).await?;
            continue;
        }
        count += size + 1;
        pending.push(conversation);
        if count > BATCH_SIZE {
            write_batch(db, max_depth, &pending).await?;
            pending.clear();
            count = 0;
        }
    }
    write_batch(db, max_depth, &pending).await?;
    Ok(())
}

async fn write_batch(
    db: &Db,
    max_depth: i32,
    conversations: &[GeneratedConversation],
) -> Result<(), Error> {
    db.write(|tx| async move {
        for GeneratedConversation {
            group,
            members,
            messages,
        } in conversations
        {
            import::group_in(&tx, group).await?;
            import::members_in(&tx, group.id, members, group.at).await?;
            History::new(group.id, max_depth)
                .append_in(&tx, messages)
                .await?;
        }
        Ok(())
    })
    .await
}

async fn write_large(
    db: &Db,
    max_depth: i32,
    conversation: &GeneratedConversation,
) -> Result<(), Error> {
    let GeneratedConversation {
        group,
        members,
        messages,
    } = conversation;
    let mut history = History::new(group.id, max_depth);
    for batch in messages.chunks(BATCH_SIZE) {
        let before = &history;
        let known = db
            .write(|tx| async move {
                if before.is_empty() {
                    import::group_in(&tx, group).await?;
                    import::members_in(&tx, group.id, members, group.at).await?;
                }
                before.append_in(&tx, batch).await
            })
            .await?;
        for known in known {
            history.remember(known);
        }
    }
    Ok(())
}

fn generate_conversation(
    seed: u32,
    number: usize,
    size: usize,
    users: &[NewUser],
) -> GeneratedConversation {
    let mut rng = rng(seed, number + 1);
    let at = start();
    let group = ImportedGroup {
        id: ConversationId(id::from_time(at, rng.random())),
        title: lorem::title(&mut rng),
        topic: None,
        at,
    };
    let members = members(&mut rng, number, size, users, at);
    let messages = messages(&mut rng, size, &members);
    GeneratedConversation {
        group,
        members,
        messages,
    }
}

fn members(
    rng: &mut StdRng,
    number: usize,
    size: usize,
    users: &[NewUser],
    at: DateTime<Utc>,
) -> Vec<ImportedMember> {
    let count = (users.len() / (number + 1))
        .clamp(2, MAX_PARTICIPANTS)
        .min(users.len());
    // Neighbours in a circle: every user participates somewhere, and none twice in a conversation.
    let first = rng.random_range(0..users.len());
    let circle = users.iter().cycle().skip(first).take(count);
    let last_seq = i32::try_from(size).unwrap_or(i32::MAX);
    circle
        .enumerate()
        .map(|(index, user)| ImportedMember {
            id: ParticipantId(id::from_time(at, rng.random())),
            user: user.id,
            role: if index == 0 {
                ParticipantRole::Owner
            } else {
                ParticipantRole::Member
            },
            // Half of the users have read everything; the others have a few unread messages.
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
    let mut at = start();
    // The parent of each message, and its depth.
    let mut places: Vec<(Option<usize>, i32)> = Vec::with_capacity(size);
    (0..size)
        .filter_map(|number| {
            at += TimeDelta::milliseconds(rng.random_range(0..step));
            let sender = members.get(lorem::skewed(rng, members.len()))?;
            let is_reply = number > 0 && rng.random();
            let mut parent = is_reply.then(|| parent(rng, number));
            let place = |number: Option<usize>| places.get(number?).copied();
            while let Some((above, MAX_DEPTH)) = place(parent) {
                parent = above;
            }
            let depth = place(parent).map_or(0, |(_, depth)| depth + 1);
            places.push((parent, depth));
            Some(ImportedMessage {
                id: MessageId(id::from_time(at, rng.random())),
                sender: sender.user,
                parent,
                at,
                body: lorem::sentence(rng),
                key: None,
            })
        })
        .collect()
}

/// Returns the index of a parent: usually a recent message, sometimes any.
fn parent(rng: &mut StdRng, number: usize) -> usize {
    let back = if rng.random_range(0..8) == 0 {
        number
    } else {
        number.min(RECENT)
    };
    number - 1 - lorem::skewed(rng, back)
}

/// Distributes the messages over the conversations: the n-th has a share of 1/n.
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

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(START)
}

/// Returns the random generator of one conversation, so that its content does not depend on the others.
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
    fn the_same_seed_generates_the_same_data() {
        let scale = Scale {
            users: 9,
            conversations: 3,
            messages: 300,
            seed: 7,
        };
        let generated = |seed| {
            let generated = users(Scale { seed, ..scale }, "hash");
            let conversation = generate_conversation(seed, 1, 100, &generated);
            format!(
                "{:?} {:?} {:?} {generated:?}",
                conversation.group, conversation.members, conversation.messages
            )
        };
        assert_eq!(generated(7), generated(7));
        assert_ne!(generated(7), generated(8));
    }

    #[test]
    fn half_of_the_messages_are_replies() {
        let generated = users(
            Scale {
                users: 9,
                conversations: 1,
                messages: 1,
                seed: 7,
            },
            "hash",
        );
        let messages = generate_conversation(7, 0, 10_000, &generated).messages;
        let replies = messages
            .iter()
            .filter(|message| message.parent.is_some())
            .count();
        assert!((4_700..5_300).contains(&replies), "{replies}");
    }
}
