//! Sending: a root message or a reply, once for each `clientMessageId`.

use std::collections::HashMap;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, TryIntoModel, Value};

use crate::{
    app::App,
    db::{self, Table, Tx},
    domain::{
        access::{self, InConversation},
        messages::{self, mentions, rights, sequence, tree},
        notifications,
        sessions::Viewer,
        threads,
    },
    entity::message::{self, MessageKind, MessagePriority},
    error::{Error, Problem},
    id::{ConversationId, MessageId, ThreadId},
    live::log::{self, Change, Stream},
};

/// Longest key that a client may choose.
const CLIENT_KEY_LENGTH: usize = 64;

/// A message to send.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Where to.
    pub conversation: ConversationId,
    /// The message being answered; none for a root message.
    pub parent: Option<MessageId>,
    /// Markdown text.
    pub body: String,
    /// How strongly to flag it.
    pub priority: MessagePriority,
    /// A key chosen by the client.
    pub client_message_id: Option<String>,
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message.
    pub message: message::Model,
    /// Whether an earlier request with the same key had sent it already.
    pub was_duplicate: bool,
}

/// Sends a message. Repeating it with the same key and content gives the first message again; the
/// same key with other content is a CONFLICT.
pub async fn send(app: &App, viewer: &Viewer, new: &NewMessage) -> Result<Sent, Error> {
    check(app, new)?;
    app.db
        .write(|tx| async move { send_in(&tx, app, viewer, new).await })
        .await
}

async fn send_in(tx: &Tx, app: &App, viewer: &Viewer, new: &NewMessage) -> Result<Sent, Error> {
    let place = access::conversation(tx, viewer, new.conversation).await?;
    if let Some(message) = earlier(tx, viewer, new).await? {
        return Ok(Sent {
            message,
            was_duplicate: true,
        });
    }
    rights::send(place.role())?;
    let parent = match new.parent {
        Some(id) => Some(parent_in(tx, app, viewer, &place, id).await?),
        None => None,
    };
    let at = app.clock.now();
    let way = notifications::Way::of(tx, new.conversation).await?;
    let events = 1 + u32::from(parent.is_some()) + u32::from(way == notifications::Way::AtOnce);
    let next = sequence::next_in(tx, new.conversation, parent.is_none(), events, at).await?;
    let message = insert_in(tx, viewer, new, parent.as_ref(), next.seq, at).await?;
    let mut changes = vec![Change::MessageSent {
        message: message.id,
    }];
    if let Some(parent) = &parent {
        count_in(tx, [parent], 1).await?;
        threads::replied_in(tx, &[(&message, parent)]).await?;
        let thread = ThreadId::from(parent.thread_root());
        changes.push(Change::ThreadChanged { thread });
    }
    mentions::write_in(tx, [&message]).await?;
    changes.extend(notifications::message_sent_in(tx, app, &message, way).await?);
    let stream = Stream::Conversation(new.conversation);
    let events: Vec<_> = log::numbered(stream, next.event_before, changes).collect();
    log::write(tx, at, &events).await?;
    Ok(Sent {
        message,
        was_duplicate: false,
    })
}

/// All that is wrong with the input, whoever sends it.
fn check(app: &App, new: &NewMessage) -> Result<(), Error> {
    let mut problems = vec![];
    check_body(app, &new.body, &mut problems);
    if let Some(key) = &new.client_message_id {
        let length = key.chars().count();
        if length == 0 || length > CLIENT_KEY_LENGTH || key.contains('\0') {
            let message = format!("Use 1 to {CLIENT_KEY_LENGTH} characters.");
            problems.push(Problem::new("clientMessageId", "OUT_OF_RANGE", message));
        }
    }
    Error::check(problems)
}

/// What is wrong with a text.
pub(super) fn check_body(app: &App, body: &str, problems: &mut Vec<Problem>) {
    let longest = app.config.message_length;
    if body.trim().is_empty() {
        problems.push(Problem::new("body", "REQUIRED", "Write something."));
    } else if body.chars().count() > longest {
        let message = format!("Use at most {longest} characters.");
        problems.push(Problem::new("body", "TOO_LONG", message));
    } else if body.contains('\0') {
        problems.push(Problem::new(
            "body",
            "BAD_CHARACTER",
            "Text cannot hold the NUL character.",
        ));
    }
}

/// The message that an earlier request with the same key sent.
async fn earlier(
    tx: &Tx,
    viewer: &Viewer,
    new: &NewMessage,
) -> Result<Option<message::Model>, Error> {
    let Some(key) = &new.client_message_id else {
        return Ok(None);
    };
    let found = message::Entity::find()
        .filter(message::Column::ConversationId.eq(new.conversation))
        .filter(message::Column::SenderId.eq(viewer.user))
        .filter(message::Column::ClientMessageId.eq(key))
        .one(tx)
        .await?;
    // A deleted message keeps its key and nothing else.
    let same = |message: &message::Model| {
        message
            .content_hash
            .as_ref()
            .is_none_or(|hash| *hash == content_hash(new))
    };
    if found.as_ref().is_some_and(|message| !same(message)) {
        return Err(Error::conflict(
            "Another message was sent with this clientMessageId.",
        ));
    }
    Ok(found)
}

/// Tells contents apart without keeping them: an edit changes the body but not what was sent.
fn content_hash(new: &NewMessage) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(new.parent.map_or([0; 16], |id| *id.0.as_bytes()).as_slice());
    context.update(match new.priority {
        MessagePriority::Normal => b"N",
        MessagePriority::Important => b"I",
        MessagePriority::Urgent => b"U",
    });
    context.update(new.body.as_bytes());
    context.finish().as_ref().to_vec()
}

/// The message to hang a reply below: the one being answered, or at the deepest level its nearest
/// ancestor that still allows replies.
async fn parent_in(
    tx: &Tx,
    app: &App,
    viewer: &Viewer,
    place: &InConversation,
    id: MessageId,
) -> Result<message::Model, Error> {
    let missing = || Error::invalid("parentId", "NOT_FOUND", "There is no such message here.");
    let visible = messages::visible(viewer)
        .filter(message::Column::Id.eq(id))
        .filter(message::Column::ConversationId.eq(place.conversation().id));
    let answered = visible
        .one(tx)
        .await?
        .filter(message::Model::is_shown)
        .ok_or_else(missing)?;
    rights::reply(&answered, place.role())?;
    if answered.depth < app.config.thread_depth {
        return Ok(answered);
    }
    let levels = usize::try_from(app.config.thread_depth).unwrap_or(1).max(1);
    let seq = tree::places(&answered.path)
        .get(levels - 1)
        .copied()
        .ok_or_else(missing)?;
    let ancestor = message::Entity::find()
        .filter(message::Column::ConversationId.eq(place.conversation().id))
        .filter(message::Column::Seq.eq(seq));
    ancestor.one(tx).await?.ok_or_else(missing)
}

async fn insert_in(
    tx: &Tx,
    viewer: &Viewer,
    new: &NewMessage,
    parent: Option<&message::Model>,
    seq: i32,
    at: DateTime<Utc>,
) -> Result<message::Model, Error> {
    let message = message::ActiveModel {
        id: Set(MessageId::mint()),
        conversation_id: Set(new.conversation),
        seq: Set(seq),
        sender_id: Set(Some(viewer.user)),
        parent_id: Set(parent.map(|parent| parent.id)),
        root_id: Set(parent.map(message::Model::thread_root)),
        depth: Set(parent.map_or(0, |parent| parent.depth + 1)),
        path: Set(tree::path(parent.map_or(&[], |parent| &parent.path), seq)),
        reply_count: Set(0),
        descendant_count: Set(0),
        kind: Set(MessageKind::User),
        priority: Set(new.priority),
        body: Set(Some(new.body.clone())),
        notice: Set(None),
        client_message_id: Set(new.client_message_id.clone()),
        content_hash: Set(new.client_message_id.as_ref().map(|_| content_hash(new))),
        created_at: Set(at),
        edited_at: Set(None),
        deleted_at: Set(None),
    };
    // All of it is known: there is nothing to read back.
    message::Entity::insert(message.clone())
        .exec_without_returning(tx)
        .await?;
    Ok(message.try_into_model()?)
}

/// Adds to the counts above replies to these parents: a parent's direct ones and every ancestor's.
pub(super) async fn count_in(
    tx: &Tx,
    parents: impl IntoIterator<Item = &message::Model>,
    step: i32,
) -> Result<(), Error> {
    let mut steps: HashMap<(ConversationId, i32), [i32; 2]> = HashMap::new();
    for parent in parents {
        for seq in tree::places(&parent.path) {
            let [direct, below] = steps.entry((parent.conversation_id, seq)).or_default();
            *below += step;
            *direct += if seq == parent.seq { step } else { 0 };
        }
    }
    if steps.is_empty() {
        return Ok(());
    }
    let row = |((place, seq), [direct, below]): ((ConversationId, i32), [i32; 2])| -> [Value; 4] {
        [place.into(), seq.into(), direct.into(), below.into()]
    };
    let table = Table::new("v (place, seq, direct, below)", steps.into_iter().map(row));
    let text = format!(
        "WITH {} UPDATE message SET reply_count = reply_count + v.direct,
             descendant_count = descendant_count + v.below
         FROM v WHERE message.conversation_id = v.place AND message.seq = v.seq",
        table.text
    );
    db::run(tx, &text, table.values).await?;
    Ok(())
}
