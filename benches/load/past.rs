//! A past that takes too long to live through: groups, messages and missed events in any number, written with the
//! program's own means of bulk while no server runs. What is measured is asked for through the front door.

use chrono::Utc;
use heddle::{
    db::Db,
    domain::bulk::{self, Group, History, Member, Past},
    entity::participant::ParticipantRole,
    id::{ConversationId, MessageId, ParticipantId, UserId},
};

use crate::{server::Home, walks::BODY};

/// Messages in one transaction.
const AT_ONCE: usize = 5000;
/// Deepest level of replies.
const DEEPEST: i32 = 50;

/// Makes up a past.
pub(crate) struct Chronicle {
    db: Db,
}

/// Somebody in a group, and how many of its messages they have read.
pub(crate) type Reads = (UserId, usize);

impl Chronicle {
    pub(crate) async fn open(home: &Home) -> Self {
        let db = Db::connect(&home.database_url).await.unwrap();
        Self { db }
    }

    pub(crate) async fn close(self) {
        self.db.close().await.unwrap();
    }

    /// Groups with these titles, all with the same people and as many messages of the first of them.
    pub(crate) async fn groups(&self, titles: &[String], people: &[Reads], messages: usize) {
        for some in titles.chunks((AT_ONCE / (messages + people.len())).max(1)) {
            let written = self.db.write(|tx| async move {
                for title in some {
                    let group = group(title);
                    bulk::group_in(&tx, &group).await?;
                    let members = members(people);
                    bulk::members_in(&tx, group.id, &members, group.at).await?;
                    let history = History::new(group.id, DEEPEST);
                    let roots = said(people[0].0, messages, |_| None);
                    history.append_in(&tx, &roots).await?;
                }
                Ok(())
            });
            written.await.unwrap();
        }
    }
}

fn group(title: &str) -> Group {
    Group {
        id: ConversationId::mint(),
        title: title.to_owned(),
        topic: None,
        at: Utc::now(),
    }
}

fn members(people: &[Reads]) -> Vec<Member> {
    let member = |(index, &(user, read)): (usize, &Reads)| Member {
        id: ParticipantId::mint(),
        user,
        role: if index == 0 {
            ParticipantRole::Owner
        } else {
            ParticipantRole::Member
        },
        read_floor_seq: i32::try_from(read).unwrap(),
    };
    people.iter().enumerate().map(member).collect()
}

fn said(sender: UserId, count: usize, parent: impl Fn(usize) -> Option<usize>) -> Vec<Past> {
    let message = |number| Past {
        id: MessageId::mint(),
        sender,
        parent: parent(number),
        at: Utc::now(),
        body: BODY.to_owned(),
        key: None,
    };
    (0..count).map(message).collect()
}

/// Somebody, by the id that the API shows.
pub(crate) fn person(shown: &str) -> UserId {
    UserId::from_text(shown)
}
