//! Marking messages as read: conversations, threads, or single messages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Value,
};

use crate::{
    core::Core,
    db::{self, Tx},
    domain::{
        messages,
        notifications::plain,
        predicates::unread,
        reads::{
            announce::announce_in,
            scope::{
                ReadScope, ScopedSeq, compact_marks_in, ends_in, except_in, lock_in, raise_in,
            },
        },
        sessions::Viewer,
    },
    entity::{
        conversation,
        message::{self, Column},
    },
    error::Error,
    id::{ConversationId, MessageId, ThreadId},
};

/// Maximum number of conversations in one request.
const CONVERSATIONS_MAX: usize = 100;
/// Maximum number of messages in one request.
const MESSAGES_MAX: usize = 200;

/// A conversation and the last message of it to mark as read.
#[derive(Clone, Copy, Debug)]
pub struct UpTo {
    /// The conversation.
    pub conversation: ConversationId,
    /// The last message to mark as read; none to mark all messages.
    pub message: Option<MessageId>,
}

/// The position of a message.
#[derive(Clone, Copy, Debug, FromQueryResult)]
struct MessagePosition {
    id: MessageId,
    conversation_id: ConversationId,
    root_id: Option<MessageId>,
    seq: i32,
}

impl MessagePosition {
    fn mark(self) -> ScopedSeq {
        ScopedSeq {
            scope: ReadScope::of(self.conversation_id, self.root_id),
            seq: self.seq,
        }
    }
}

/// Marks conversations as read up to one message each, replies included. A position never moves back. Returns the
/// number of messages that became read.
pub async fn mark_conversations(core: &Core, viewer: &Viewer, to: &[UpTo]) -> Result<i64, Error> {
    at_most("conversations", to.len(), CONVERSATIONS_MAX)?;
    core.db
        .write(|tx| async move { mark_conversations_in(&tx, core, viewer, to).await })
        .await
}

async fn mark_conversations_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    to: &[UpTo],
) -> Result<i64, Error> {
    let all: BTreeSet<_> = to.iter().map(|up_to| up_to.conversation).collect();
    let all: Vec<_> = all.into_iter().collect();
    if all.is_empty() {
        return Ok(0);
    }
    let floors = lock_in(tx, viewer, &all).await?;
    if floors.len() < all.len() {
        return Err(Error::not_found("conversation"));
    }
    let mut rising = targets_in(tx, viewer, to).await?;
    rising.retain(|conversation, seq| floors.get(conversation).is_some_and(|floor| floor < seq));
    if rising.is_empty() {
        return Ok(0);
    }
    let (count, scopes) = below_in(tx, viewer, &rising).await?;
    let below = rising.iter().fold(Condition::any(), |any, (&id, &seq)| {
        let in_conversation = Column::ConversationId.eq(id);
        any.add(
            Condition::all()
                .add(in_conversation)
                .add(Column::Seq.lte(seq)),
        )
    });
    let notifications = plain::unread_in(tx, viewer, below).await?;
    // SQL for its CASE: one UPDATE sets a different floor per conversation.
    let (cases, ids, mut values) = cases(&rising);
    let text = format!(
        "UPDATE participant SET read_floor_seq = CASE conversation_id {cases} END
         WHERE user_id = ? AND conversation_id IN ({})",
        db::placeholders(ids.len())
    );
    values.extend(db::bind(viewer.user, &ids));
    db::execute(tx, &text, values).await?;
    compact_marks_in(tx, viewer, &ids, core.clock.now()).await?;
    announce_in(tx, core, viewer, &scopes, &notifications).await?;
    Ok(count)
}

/// The sequence number up to which each conversation is to be read.
async fn targets_in(
    tx: &Tx,
    viewer: &Viewer,
    to: &[UpTo],
) -> Result<BTreeMap<ConversationId, i32>, Error> {
    let wanted: Vec<_> = to.iter().filter_map(|up_to| up_to.message).collect();
    let positions = positions_in(tx, viewer, &wanted).await?;
    let ids: Vec<_> = to.iter().map(|up_to| up_to.conversation).collect();
    let lasts: Vec<(ConversationId, i32)> = conversation::Entity::find()
        .select_only()
        .columns([conversation::Column::Id, conversation::Column::LastSeq])
        .filter(conversation::Column::Id.is_in(ids))
        .into_tuple()
        .all(tx)
        .await?;
    let lasts: HashMap<_, _> = lasts.into_iter().collect();
    let mut targets = BTreeMap::new();
    for up_to in to {
        let seq = match up_to.message {
            None => lasts.get(&up_to.conversation).copied(),
            Some(message) => positions
                .get(&message)
                .filter(|position| position.conversation_id == up_to.conversation)
                .map(|position| position.seq),
        };
        let seq = seq.ok_or_else(|| Error::not_found("message"))?;
        let target = targets.entry(up_to.conversation).or_insert(seq);
        *target = seq.max(*target);
    }
    Ok(targets)
}

/// The positions of the messages that are visible to the viewer, deleted ones included.
async fn positions_in(
    tx: &Tx,
    viewer: &Viewer,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, MessagePosition>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = messages::visible(viewer)
        .select_only()
        .columns([
            Column::Id,
            Column::ConversationId,
            Column::RootId,
            Column::Seq,
        ])
        .filter(Column::Id.is_in(ids.iter().copied()))
        .into_model::<MessagePosition>()
        .all(tx)
        .await?;
    Ok(rows
        .into_iter()
        .map(|position| (position.id, position))
        .collect())
}

/// The number of unread messages up to these sequence numbers, and the scopes that contain them.
async fn below_in(
    tx: &Tx,
    viewer: &Viewer,
    positions: &BTreeMap<ConversationId, i32>,
) -> Result<(i64, Vec<ReadScope>), Error> {
    let (cases, ids, up_to) = cases(positions);
    let text = format!(
        "SELECT m.conversation_id, m.root_id, COUNT(*) AS count FROM participant p
         JOIN message m ON m.conversation_id = p.conversation_id
         WHERE p.user_id = ? AND p.conversation_id IN ({})
             AND m.seq <= CASE p.conversation_id {cases} END AND {}
         GROUP BY m.conversation_id, m.root_id",
        db::placeholders(ids.len()),
        unread("m", "p")
    );
    let mut values = db::bind(viewer.user, &ids);
    values.extend(up_to);
    let rows: Vec<(_, _, i64)> = db::fetch_tuples(tx, &text, values).await?;
    let count = rows.iter().map(|(.., count)| count).sum();
    let scopes = rows
        .into_iter()
        .map(|(conversation, root, _)| ReadScope::of(conversation, root));
    Ok((count, scopes.collect()))
}

/// `WHEN ? THEN ?` for each conversation, the conversations, and the values bound.
fn cases(positions: &BTreeMap<ConversationId, i32>) -> (String, Vec<ConversationId>, Vec<Value>) {
    let values = positions
        .iter()
        .flat_map(|(&id, &seq)| [id.into(), seq.into()]);
    (
        vec!["WHEN ? THEN ?"; positions.len()].join(" "),
        positions.keys().copied().collect(),
        values.collect(),
    )
}

/// Marks a thread as read up to a reply, or completely. A position never moves back. Returns the number of replies that
/// became read.
pub async fn mark_thread(
    core: &Core,
    viewer: &Viewer,
    thread: ThreadId,
    up_to: Option<MessageId>,
) -> Result<i64, Error> {
    core.db
        .write(|tx| async move { mark_thread_in(&tx, core, viewer, thread, up_to).await })
        .await
}

async fn mark_thread_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    thread: ThreadId,
    up_to: Option<MessageId>,
) -> Result<i64, Error> {
    let root = MessageId::from(thread);
    let mut wanted = vec![root];
    wanted.extend(up_to);
    let positions = positions_in(tx, viewer, &wanted).await?;
    let found = positions
        .get(&root)
        .filter(|position| position.root_id.is_none());
    let conversation = found
        .ok_or_else(|| Error::not_found("thread"))?
        .conversation_id;
    let scope = ReadScope::of(conversation, Some(root));
    lock_in(tx, viewer, &[conversation]).await?;
    let seq = match up_to {
        None => thread_end_in(tx, root).await?,
        Some(message) => positions
            .get(&message)
            .filter(|position| position.id == root || position.root_id == Some(root))
            .map(|position| position.seq)
            .ok_or_else(|| Error::not_found("message"))?,
    };
    let text = format!(
        "SELECT COUNT(*) AS count FROM participant p
         JOIN message m ON m.conversation_id = p.conversation_id
         WHERE p.user_id = ? AND m.root_id = ? AND m.seq <= ? AND {}",
        unread("m", "p")
    );
    let values: [Value; 3] = [viewer.user.into(), root.into(), seq.into()];
    let count = db::fetch_one(tx, &text, values).await?.unwrap_or(0);
    if count > 0 {
        let below = Condition::all()
            .add(Column::RootId.eq(root))
            .add(Column::Seq.lte(seq));
        let notifications = plain::unread_in(tx, viewer, below).await?;
        raise_in(tx, viewer, &[ScopedSeq { scope, seq }]).await?;
        compact_marks_in(tx, viewer, &[conversation], core.clock.now()).await?;
        announce_in(tx, core, viewer, &[scope], &notifications).await?;
    }
    Ok(count)
}

/// The sequence number of a thread's newest reply.
async fn thread_end_in(tx: &Tx, root: MessageId) -> Result<i32, Error> {
    let last: Option<Option<i32>> = message::Entity::find()
        .select_only()
        .expr(Column::Seq.max())
        .filter(Column::RootId.eq(root))
        .into_tuple()
        .one(tx)
        .await?;
    Ok(last.flatten().unwrap_or(0))
}

/// Marks single messages as read. Skips messages that are hidden from the viewer or not unread. Returns the number of
/// messages that became read.
pub async fn mark_messages(core: &Core, viewer: &Viewer, ids: &[MessageId]) -> Result<i64, Error> {
    at_most("messageIds", ids.len(), MESSAGES_MAX)?;
    core.db
        .write(|tx| async move { mark_messages_in(&tx, core, viewer, ids).await })
        .await
}

async fn mark_messages_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    ids: &[MessageId],
) -> Result<i64, Error> {
    let positions = positions_in(tx, viewer, ids).await?;
    let conversations: BTreeSet<_> = positions
        .values()
        .map(|position| position.conversation_id)
        .collect();
    let conversations: Vec<_> = conversations.into_iter().collect();
    lock_in(tx, viewer, &conversations).await?;
    let found = unread_in(tx, viewer, ids).await?;
    let becoming_read = Column::Id.is_in(found.iter().map(|position| position.id));
    let marks: Vec<ScopedSeq> = found.into_iter().map(MessagePosition::mark).collect();
    if marks.is_empty() {
        return Ok(0);
    }
    let becoming_read = Condition::all().add(becoming_read);
    let notifications = plain::unread_in(tx, viewer, becoming_read).await?;
    except_in(tx, viewer, &marks).await?;
    let scopes: BTreeSet<ReadScope> = marks.iter().map(|mark| mark.scope).collect();
    let scopes: Vec<ReadScope> = scopes.into_iter().collect();
    let ends = ends_in(tx, viewer, &scopes).await?;
    // Only scopes with a new exception that is adjacent to the messages read without a gap.
    let folded = scopes.iter().filter_map(|&scope| {
        let seq = *ends.get(&scope.id())?;
        let touches = marks
            .iter()
            .any(|mark| mark.scope == scope && mark.seq <= seq);
        touches.then_some(ScopedSeq { scope, seq })
    });
    raise_in(tx, viewer, &folded.collect::<Vec<_>>()).await?;
    compact_marks_in(tx, viewer, &conversations, core.clock.now()).await?;
    announce_in(tx, core, viewer, &scopes, &notifications).await?;
    i64::try_from(marks.len()).map_err(Error::internal)
}

async fn unread_in(
    tx: &Tx,
    viewer: &Viewer,
    ids: &[MessageId],
) -> Result<Vec<MessagePosition>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let text = format!(
        "SELECT m.id, m.conversation_id, m.root_id, m.seq FROM participant p
         JOIN message m ON m.conversation_id = p.conversation_id
         WHERE p.user_id = ? AND m.id IN ({}) AND {}",
        db::placeholders(ids.len()),
        unread("m", "p")
    );
    db::fetch_all(tx, &text, db::bind(viewer.user, ids)).await
}

fn at_most(field: &str, count: usize, most: usize) -> Result<(), Error> {
    if count <= most {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        "TOO_MANY",
        format!("Name at most {most}."),
    ))
}
