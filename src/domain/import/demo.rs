//! The demo data: three users and two conversations. Only development mode offers it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{History, ImportedGroup, ImportedMember, ImportedMessage, group_in, members_in};
use crate::{
    db::Tx,
    domain::users::NewUser,
    entity::participant::ParticipantRole,
    error::Error,
    id::{self, ConversationId, MessageId, ParticipantId, UserId},
};

/// The password of every generated user. It is public.
pub const PASSWORD: &str = "over-under-over-under";

const USERS: [(&str, &str); 3] = [
    ("ada", "Ada Webster"),
    ("ben", "Ben Carder"),
    ("cleo", "Cleo Fuller"),
];

/// The index of the sender, the index of the parent in the same list, and the body.
type DemoMessage = (usize, Option<usize>, &'static str);

const WORKSHOP: &[DemoMessage] = &[
    (
        0,
        None,
        "Morning! The new loom is set up. Who wants to try it first?",
    ),
    (
        1,
        None,
        "Which **sett** should we use for the blue scarf? I keep changing my mind.",
    ),
    (
        2,
        Some(1),
        "For plain weave? I would start from the wraps per inch and halve them.",
    ),
    (
        1,
        Some(2),
        "That gives me 12. Is that not too open for wool?",
    ),
    (
        0,
        Some(3),
        "Wool blooms when it is washed. 12 on the loom feels like 14 in the hand.",
    ),
    (
        2,
        Some(4),
        "Only if you full it a little. Straight off the loom it will feel like a sieve.",
    ),
    (1, Some(5), "So wash first, judge later?"),
    (
        0,
        Some(6),
        "Weave a sample first! A hand's width is enough:\n\n- 12 ends per inch\n- 12 picks per inch\n- wash, dry, then look",
    ),
    (2, Some(7), "Seconded. @ben has the wool, I have the sink."),
    (
        1,
        Some(8),
        "Sample is on. I will report back tomorrow, with pictures.",
    ),
    (2, Some(1), "Twill would forgive more, by the way."),
    (
        0,
        Some(10),
        "> Twill would forgive more\n\nTrue, but then it is another scarf.",
    ),
    (
        2,
        None,
        "Reminder: the reed on loom two is bent near the left edge. Please do not use it.",
    ),
    (0, Some(12), "Ordered a new one, it arrives on *Thursday*."),
];

const KITCHEN: &[DemoMessage] = &[
    (2, None, "We are out of coffee again."),
    (1, Some(0), "There is tea. There is always tea."),
    (2, Some(1), "That is what I was afraid of."),
    (
        0,
        None,
        "Lunch at one? There is a soup at the corner that people talk about.",
    ),
];

/// Returns the users of the demo. Their ids are the same in every call.
#[must_use]
pub fn users(password_hash: &str) -> Vec<NewUser> {
    let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    USERS
        .iter()
        .zip(1_u8..)
        .map(|((username, name), number)| NewUser {
            id: UserId(id::from_time(at, [number; 10])),
            username: (*username).to_owned(),
            display_name: (*name).to_owned(),
            email: Some(format!("{username}@example.org")),
            password_hash: Some(password_hash.to_owned()),
            at,
        })
        .collect()
}

/// Inserts the conversations of these users, whose rows exist, as they would be at this time. The guest joins them.
pub async fn talk_in(
    tx: &Tx,
    users: &[NewUser],
    guest: Option<UserId>,
    thread_depth: i32,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let start = now - TimeDelta::hours(5);
    for (title, topic, lines) in [
        (
            "Workshop",
            Some("Looms, wool and everything between"),
            WORKSHOP,
        ),
        ("Kitchen", None, KITCHEN),
    ] {
        let group = ImportedGroup {
            id: ConversationId::mint(),
            title: title.to_owned(),
            topic: topic.map(str::to_owned),
            at: start,
        };
        group_in(tx, &group).await?;
        members_in(tx, group.id, &members(users, guest), start).await?;
        let messages = messages(users, lines, start);
        History::new(group.id, thread_depth)
            .append_in(tx, &messages)
            .await?;
    }
    Ok(())
}

/// The first user owns the group. The later ones have read fewer messages.
fn members(users: &[NewUser], guest: Option<UserId>) -> Vec<ImportedMember> {
    let roles = [
        ParticipantRole::Owner,
        ParticipantRole::Member,
        ParticipantRole::Member,
        ParticipantRole::Member,
    ];
    users
        .iter()
        .map(|user| user.id)
        .chain(guest)
        .zip(roles)
        .zip([4, 3, 0, 0])
        .map(|((user, role), read_floor_seq)| ImportedMember {
            id: ParticipantId::mint(),
            user,
            role,
            read_floor_seq,
        })
        .collect()
}

fn messages(
    users: &[NewUser],
    lines: &[DemoMessage],
    start: DateTime<Utc>,
) -> Vec<ImportedMessage> {
    lines
        .iter()
        .zip(1_i32..)
        .filter_map(|((sender, parent, body), number)| {
            Some(ImportedMessage {
                id: MessageId::mint(),
                sender: users.get(*sender)?.id,
                parent: *parent,
                at: start + TimeDelta::minutes(17) * number,
                body: (*body).to_owned(),
                key: None,
            })
        })
        .collect()
}
