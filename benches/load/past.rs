//! A past that takes too long to live through: groups, messages and missed events in any number, written with the
//! program's own means of bulk while no server runs. What is measured is asked for through the front door.

use std::time::Duration;

use chrono::Utc;
use heddle::{
    db::{Db, Tx},
    domain::import::{self, Group, History, ImportedMessage, Member},
    entity::{
        job::{self, JobStatus},
        participant::{self, ParticipantRole},
        user,
    },
    error::Error,
    id::{ConversationId, MessageId, ParticipantId, ThreadId, UserId},
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::{server::Home, walks::BODY};

/// Between two looks at what is done behind the senders.
const LOOK: Duration = Duration::from_millis(10);
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

    /// Everybody who was ever made up.
    pub(crate) async fn everybody(&self) -> Vec<UserId> {
        let found = user::Entity::find();
        let found = found.all(self.db.read()).await.unwrap();
        found.into_iter().map(|user| user.id).collect()
    }

    /// Waits until nobody waits for a notification.
    pub(crate) async fn is_notified(&self) {
        let waiting = job::Entity::find()
            .filter(job::Column::Kind.eq("NotifyOfMessage"))
            .filter(job::Column::Status.is_in([JobStatus::Queued, JobStatus::Running]));
        while waiting.clone().count(self.db.read()).await.unwrap() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Somebody, their username, and a conversation that they are in.
    pub(crate) async fn somebody_somewhere(&self) -> (UserId, String, String) {
        let found = participant::Entity::find();
        let found = found.one(self.db.read()).await.unwrap().unwrap();
        let somebody = user::Entity::find_by_id(found.user_id);
        let somebody = somebody.one(self.db.read()).await.unwrap().unwrap();
        let conversation = found.conversation_id.to_string();
        (found.user_id, somebody.username, conversation)
    }

    /// Groups with these titles, all with the same people and as many messages of the first of them.
    pub(crate) async fn groups(&self, titles: &[String], people: &[Reads], messages: usize) {
        for some in titles.chunks((AT_ONCE / (messages + people.len())).max(1)) {
            let written = self.db.write(|tx| async move {
                for title in some {
                    let roots = said(|_| people[0].0, messages, |_| None);
                    group_in(&tx, title, people, &roots).await?;
                }
                Ok(())
            });
            written.await.unwrap();
        }
    }

    /// A group in which each of these people in turn said something, so many times.
    pub(crate) async fn talk(&self, title: &str, people: &[Reads], messages: usize) {
        let written = self.db.write(|tx| async move {
            let roots = said(|number| people[number % people.len()].0, messages, |_| None);
            group_in(&tx, title, people, &roots).await
        });
        written.await.unwrap();
    }

    /// A group with a message and a tree of so many replies, eight below each. Gives the thread's id.
    pub(crate) async fn thread(&self, title: &str, people: &[Reads], replies: usize) -> String {
        let group = &group(title);
        let mut history = History::new(group.id, DEEPEST);
        let all = said(
            |_| people[0].0,
            replies + 1,
            |number| number.checked_sub(1).map(|before| before / 8),
        );
        for some in all.chunks(AT_ONCE) {
            let before = &history;
            let written = self.db.write(|tx| async move {
                if before.is_empty() {
                    import::group_in(&tx, group).await?;
                    import::members_in(&tx, group.id, &members(people), group.at).await?;
                }
                before.append_in(&tx, some).await
            });
            for known in written.await.unwrap() {
                history.remember(known);
            }
        }
        ThreadId(all[0].id.0).to_string()
    }
}

/// Writes a group with these people and root messages.
async fn group_in(
    tx: &Tx,
    title: &str,
    people: &[Reads],
    roots: &[ImportedMessage],
) -> Result<(), Error> {
    let group = group(title);
    import::group_in(tx, &group).await?;
    import::members_in(tx, group.id, &members(people), group.at).await?;
    let history = History::new(group.id, DEEPEST);
    history.append_in(tx, roots).await.map(drop)
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

fn said(
    sender: impl Fn(usize) -> UserId,
    count: usize,
    parent: impl Fn(usize) -> Option<usize>,
) -> Vec<ImportedMessage> {
    let message = |number| ImportedMessage {
        id: MessageId::mint(),
        sender: sender(number),
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
