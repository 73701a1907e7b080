//! Which of several sends may be done: who takes part, what was sent before, what is answered. Reads only.

use std::collections::{BTreeSet, HashMap};

use sea_orm::Value;

use crate::{
    core::Core,
    db::{self, Tx, ValuesCte},
    domain::{
        access::{self, AccessCheck, InConversation, LockWait},
        messages::{
            path, permissions,
            send::types::{Key, SendRequest, Sent},
        },
    },
    entity::message,
    error::Error,
    id::{ConversationId, MessageId},
};

/// What becomes of a send.
pub(super) enum Admission {
    /// It may be done.
    Accepted(Box<AcceptedSend>),
    /// It was done before.
    Duplicate(Box<Sent>),
    /// It may not be done.
    Rejected(Error),
    /// Another transaction works on the conversation: to be tried again when that is over.
    Locked,
}

/// A send that may be done.
pub(super) struct AcceptedSend {
    pub(super) place: InConversation,
    pub(super) is_crowded: bool,
    /// How many root messages the sender has sent there before.
    pub(super) sent: i32,
    /// What the message is to hang below.
    pub(super) parent: Option<message::Model>,
}

/// Locks the conversations of these sends and tells of each what becomes of it.
pub(super) async fn check_sends(
    tx: &Tx,
    core: &Core,
    letters: &[SendRequest],
    lock: LockWait,
) -> Result<Vec<Admission>, Error> {
    let asked = letters.iter().map(SendRequest::place).collect::<Vec<_>>();
    let entries = access::conversations(tx, &asked, lock).await?;
    // Under the lock: what is found is there until the commit.
    let before = ExistingState {
        sent: earlier_in(tx, letters).await?,
        above: Parents::read_in(tx, core, letters).await?,
    };
    let verdict = |(letter, entry)| match entry {
        AccessCheck::In {
            place,
            is_crowded,
            sent,
        } => {
            let allowed = AcceptedSend {
                place: *place,
                is_crowded,
                sent,
                parent: None,
            };
            before
                .verdict(letter, allowed)
                .unwrap_or_else(Admission::Rejected)
        }
        AccessCheck::Hidden => Admission::Rejected(Error::not_found("conversation")),
        AccessCheck::Busy => Admission::Locked,
    };
    Ok(letters.iter().zip(entries).map(verdict).collect())
}

/// What there is before any of the sends is done.
struct ExistingState {
    sent: HashMap<Key, message::Model>,
    above: Parents,
}

impl ExistingState {
    fn verdict(&self, letter: &SendRequest, mut allowed: AcceptedSend) -> Result<Admission, Error> {
        if let Some(message) = letter.key().and_then(|key| self.sent.get(&key)) {
            let message = letter.same(message)?;
            let was_duplicate = true;
            return Ok(Admission::Duplicate(Box::new(Sent {
                message,
                was_duplicate,
            })));
        }
        permissions::send(allowed.place.role())?;
        if let Some(id) = letter.new.parent {
            allowed.parent = Some(self.above.parent(&allowed.place, id)?);
        }
        Ok(Admission::Accepted(Box::new(allowed)))
    }
}

/// The messages that earlier requests with the same keys sent.
async fn earlier_in(
    tx: &Tx,
    letters: &[SendRequest],
) -> Result<HashMap<Key, message::Model>, Error> {
    let keys: Vec<_> = letters.iter().filter_map(SendRequest::key).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let row = |(place, sender, key): Key| [place.into(), sender.into(), key.into()];
    let table = ValuesCte::new("v (place, sender, key)", keys.into_iter().map(row));
    // One by one: where PostgreSQL knows only of messages without keys it would read all that have one.
    let text = format!(
        "WITH {} SELECT m.* FROM v CROSS JOIN message m WHERE m.id = (SELECT k.id FROM message k
             WHERE k.conversation_id = v.place AND k.sender_id = v.sender
                 AND k.client_message_id = v.key AND k.client_message_id IS NOT NULL)",
        table.text
    );
    let found: Vec<message::Model> = db::fetch_all(tx, &text, table.values).await?;
    let key = |message: message::Model| {
        let key = message.client_message_id.clone()?;
        Some(((message.conversation_id, message.sender_id?, key), message))
    };
    Ok(found.into_iter().filter_map(key).collect())
}

/// What replies are to hang below.
struct Parents {
    answered: HashMap<MessageId, message::Model>,
    /// For answers to what is at the deepest level: its nearest ancestor that still allows replies.
    ancestors: HashMap<(ConversationId, i32), message::Model>,
    depth: i32,
}

impl Parents {
    async fn read_in(tx: &Tx, core: &Core, letters: &[SendRequest]) -> Result<Self, Error> {
        let ids: BTreeSet<_> = letters
            .iter()
            .filter_map(|letter| letter.new.parent)
            .collect();
        let mut above = Self {
            answered: HashMap::new(),
            ancestors: HashMap::new(),
            depth: core.config.thread_depth,
        };
        let rows = ids.into_iter().map(|id| [id.into()]);
        let found = messages_in(tx, "v (id)", rows, "m.id = v.id").await?;
        above.answered = found.into_iter().map(|found| (found.id, found)).collect();
        let key = |answered| above.ancestor(answered);
        let ancestors: BTreeSet<_> = above.answered.values().filter_map(key).collect();
        let rows = ancestors
            .into_iter()
            .map(|(place, seq)| [place.into(), seq.into()]);
        let is_one = "m.conversation_id = v.place AND m.seq = v.seq";
        let found = messages_in(tx, "v (place, seq)", rows, is_one).await?;
        let key = |found: message::Model| ((found.conversation_id, found.seq), found);
        above.ancestors = found.into_iter().map(key).collect();
        Ok(above)
    }

    /// Where the ancestor stands that an answer to this message hangs below instead, if it is too deep itself.
    fn ancestor(&self, answered: &message::Model) -> Option<(ConversationId, i32)> {
        let levels = usize::try_from(self.depth).unwrap_or(1).max(1);
        let is_too_deep = answered.depth >= self.depth;
        let places = is_too_deep.then(|| path::places(&answered.path))?;
        let seq = places.get(levels - 1).copied().unwrap_or_default();
        Some((answered.conversation_id, seq))
    }

    /// The message to hang a reply below: the one being answered, or at the deepest level its nearest ancestor that
    /// still allows replies.
    fn parent(&self, place: &InConversation, id: MessageId) -> Result<message::Model, Error> {
        let missing = || Error::invalid("parentId", "NOT_FOUND", "There is no such message here.");
        let answered = self.answered.get(&id);
        let answered = answered
            .filter(|answered| place.sees(answered) && answered.is_shown())
            .ok_or_else(missing)?;
        permissions::reply(answered, place.role())?;
        let parent = match self.ancestor(answered) {
            Some(ancestor) => self.ancestors.get(&ancestor).ok_or_else(missing)?,
            None => answered,
        };
        Ok(parent.clone())
    }
}

/// The messages that a table of values names.
async fn messages_in<const COLUMNS: usize>(
    tx: &Tx,
    head: &str,
    rows: impl ExactSizeIterator<Item = [Value; COLUMNS]>,
    is_one: &str,
) -> Result<Vec<message::Model>, Error> {
    if rows.len() == 0 {
        return Ok(vec![]);
    }
    let table = ValuesCte::new(head, rows);
    let text = format!(
        "WITH {} SELECT m.* FROM v CROSS JOIN message m WHERE {is_one}",
        table.text
    );
    db::fetch_all(tx, &text, table.values).await
}
