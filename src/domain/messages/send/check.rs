//! Validates a batch of sends under the conversation locks: membership, idempotency keys, parents. Reads only.

use std::collections::{BTreeSet, HashMap};

use crate::{
    core::Core,
    db::{self, Tx, ValuesCte},
    domain::{
        access::{self, AccessCheck, InConversation, LockWait},
        blocks,
        messages::{
            permissions,
            send::types::{Key, SendRequest, Sent},
        },
    },
    entity::message,
    error::Error,
    id::MessageId,
};

/// The result of the check of one send.
pub(super) enum Admission {
    /// The message can be written.
    Accepted(Box<AcceptedSend>),
    /// An earlier request with the same key has sent it.
    Duplicate(Box<Sent>),
    /// The message is refused.
    Rejected(Error),
    /// Another transaction holds the lock of the conversation: the send is retried after it ends.
    Locked,
}

/// A send that has passed the check.
pub(super) struct AcceptedSend {
    pub(super) membership: InConversation,
    /// The number of root messages that the sender has sent there before.
    pub(super) sent: i32,
    /// Whether the sender has a block with anyone, in any direction.
    pub(super) has_blocks: bool,
    /// The message to reply to.
    pub(super) parent: Option<message::Model>,
}

/// Locks the conversations of these sends and checks each of them.
pub(super) async fn check_sends(
    tx: &Tx,
    core: &Core,
    requests: &[SendRequest],
    lock: LockWait,
) -> Result<Vec<Admission>, Error> {
    let memberships = requests
        .iter()
        .map(SendRequest::membership)
        .collect::<Vec<_>>();
    let checks = access::conversations(tx, &memberships, lock).await?;
    // Under the lock, so that these rows do not change until the commit.
    let existing = ExistingState {
        sent: earlier_in(tx, requests).await?,
        parents: Parents::read_in(tx, requests).await?,
    };
    let mut admissions = Vec::with_capacity(requests.len());
    for (request, check) in requests.iter().zip(checks) {
        let admission = match check {
            AccessCheck::In {
                membership,
                sent,
                has_blocks,
            } => {
                let accepted = AcceptedSend {
                    membership: *membership,
                    sent,
                    has_blocks,
                    parent: None,
                };
                existing.admission(core, request, accepted)
            }
            AccessCheck::Hidden => Err(Error::not_found("conversation")),
            AccessCheck::Busy => Ok(Admission::Locked),
        };
        admissions.push(match admission {
            Ok(Admission::Accepted(accepted)) => refuse_blocked_in(tx, request, accepted).await?,
            other => other.unwrap_or_else(Admission::Rejected),
        });
    }
    Ok(admissions)
}

/// Rejects a message to a direct conversation with a user with whom the sender has a block.
async fn refuse_blocked_in(
    tx: &Tx,
    request: &SendRequest,
    accepted: Box<AcceptedSend>,
) -> Result<Admission, Error> {
    let (conversation, user) = (accepted.membership.conversation(), request.viewer.user);
    if accepted.has_blocks
        && let Some(other) = conversation.other_user(user)
        && blocks::exists_in(tx, user, other).await?
    {
        let error = Error::forbidden("You cannot write to this user.");
        return Ok(Admission::Rejected(error));
    }
    Ok(Admission::Accepted(accepted))
}

/// The messages that the sends of a batch refer to, read before any of them is written.
struct ExistingState {
    sent: HashMap<Key, message::Model>,
    parents: Parents,
}

impl ExistingState {
    fn admission(
        &self,
        core: &Core,
        request: &SendRequest,
        mut accepted: AcceptedSend,
    ) -> Result<Admission, Error> {
        if let Some(message) = request.key().and_then(|key| self.sent.get(&key)) {
            let message = request.same(core, message)?;
            let was_duplicate = true;
            return Ok(Admission::Duplicate(Box::new(Sent {
                message,
                was_duplicate,
            })));
        }
        permissions::send(accepted.membership.role())?;
        if let Some(id) = request.new.parent {
            accepted.parent = Some(self.parents.parent(&accepted.membership, id)?);
        }
        Ok(Admission::Accepted(Box::new(accepted)))
    }
}

/// The messages that earlier requests with the same keys have sent.
async fn earlier_in(
    tx: &Tx,
    requests: &[SendRequest],
) -> Result<HashMap<Key, message::Model>, Error> {
    let keys: Vec<_> = requests.iter().filter_map(SendRequest::key).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let row = |(conversation, sender, key): Key| [conversation.into(), sender.into(), key.into()];
    let table = ValuesCte::new("v (place, sender, key)", keys.into_iter().map(row));
    // SQL for its values CTE. One subquery per key: while the statistics of PostgreSQL know only messages without
    // keys, a join would read all messages that have one.
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

/// The parents of the replies in a batch.
struct Parents(HashMap<MessageId, message::Model>);

impl Parents {
    async fn read_in(tx: &Tx, requests: &[SendRequest]) -> Result<Self, Error> {
        // Of the same conversation: another one may be hidden from the sender.
        let wanted = |request: &SendRequest| Some((request.new.conversation, request.new.parent?));
        let ids: BTreeSet<_> = requests.iter().filter_map(wanted).collect();
        if ids.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let rows = ids.into_iter().map(|(place, id)| [place.into(), id.into()]);
        let table = ValuesCte::new("v (place, id)", rows);
        // SQL for its values CTE.
        let text = format!(
            "WITH {} SELECT m.* FROM v CROSS JOIN message m
             WHERE m.id = v.id AND m.conversation_id = v.place",
            table.text
        );
        let found: Vec<message::Model> = db::fetch_all(tx, &text, table.values).await?;
        Ok(Self(
            found.into_iter().map(|found| (found.id, found)).collect(),
        ))
    }

    /// The parent of a reply.
    fn parent(&self, membership: &InConversation, id: MessageId) -> Result<message::Model, Error> {
        let missing = || Error::invalid("parentId", "NOT_FOUND", "There is no such message here.");
        let parent = self.0.get(&id);
        let parent = parent
            .filter(|parent| membership.sees(parent) && parent.is_shown())
            .ok_or_else(missing)?;
        permissions::reply(parent, membership.role())?;
        Ok(parent.clone())
    }
}
