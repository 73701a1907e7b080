//! Appends messages to a conversation. Computes sequence numbers, paths and counts in memory, and writes them in a few
//! statements.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    EntityTrait, Set, Value,
    sea_query::{Expr, OnConflict},
};

use super::ROWS;
use crate::{
    db::{self, Tx, ValuesCte},
    domain::{
        messages::{
            deep_replies::{self, Branch},
            path,
        },
        notifications::plain,
    },
    entity::{
        message::{self, MessageKind, MessagePriority},
        thread,
    },
    error::Error,
    id::{ConversationId, MessageId, UserId},
};

/// A message to append.
#[derive(Clone, Debug)]
pub struct ImportedMessage {
    /// The id.
    pub id: MessageId,
    /// The sender.
    pub sender: UserId,
    /// The parent, as an index in the history.
    pub parent: Option<usize>,
    /// When the message was sent.
    pub at: DateTime<Utc>,
    /// The body.
    pub body: String,
    /// What identifies the message in its archive, for a later import.
    pub key: Option<String>,
}

/// An inserted message that imported ones may reply to.
#[derive(Clone, Debug)]
pub struct ImportedRef {
    /// The id.
    pub id: MessageId,
    /// The sender, if the account still exists.
    pub sender: Option<UserId>,
    /// The parent, as an index in the history.
    pub parent: Option<usize>,
    /// The root message of its tree.
    pub root: MessageId,
    /// The depth below the root.
    pub depth: i32,
    /// The path in the tree.
    pub path: Vec<u8>,
    /// The sequence number of its branch, if it is a deep reply.
    pub branch_seq: Option<i32>,
}

/// The messages of one conversation that the appended ones may reply to.
#[derive(Clone, Debug)]
pub struct History {
    conversation: ConversationId,
    max_depth: i32,
    known: Vec<ImportedRef>,
}

/// A message to insert, with its computed columns.
struct Row {
    seq: i32,
    root_count: i32,
    sender_root_count: i32,
    known: ImportedRef,
    replies: i32,
    descendants: i32,
}

/// The changes of a thread.
struct Growth {
    replies: i32,
    last_seq: i32,
    last_at: DateTime<Utc>,
}

/// All rows that one call writes.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    /// The numbers of replies and descendants to add to messages of earlier calls.
    counts: BTreeMap<usize, (i32, i32)>,
    threads: BTreeMap<MessageId, Growth>,
    follows: HashSet<(UserId, MessageId)>,
    /// The branches of deep replies.
    branches: BTreeSet<Branch>,
}

impl History {
    /// Returns the history of a conversation without messages. Tree order nests replies up to `max_depth`.
    #[must_use]
    pub const fn new(conversation: ConversationId, max_depth: i32) -> Self {
        Self {
            conversation,
            max_depth,
            known: Vec::new(),
        }
    }

    /// Adds an inserted message, so that later ones may reply to it.
    pub fn remember(&mut self, known: ImportedRef) {
        self.known.push(known);
    }

    /// Returns the number of messages, which is the index of the next one.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are no messages.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Appends messages in this order. The caller passes the returned values to [`Self::remember`] once the transaction is
    /// committed.
    pub async fn append_in(
        &self,
        tx: &Tx,
        messages: &[ImportedMessage],
    ) -> Result<Vec<ImportedRef>, Error> {
        let Some(latest) = messages.iter().map(|message| message.at).max() else {
            return Ok(vec![]);
        };
        let count = i32::try_from(messages.len()).map_err(Error::internal)?;
        // No request waits for this, and a disk that is busy with earlier batches may be slow.
        tx.extend_timeout().await?;
        let is_root = |message: &ImportedMessage| message.parent.is_none();
        let last_root = messages.iter().rposition(is_root);
        let last_root = last_root.map_or(0, |index| i32::try_from(index + 1).unwrap_or(count));
        let roots = messages.iter().filter(|message| is_root(message)).count();
        let roots = i32::try_from(roots).map_err(Error::internal)?;
        let before = self
            .take_seqs(tx, count, (last_root, roots), latest)
            .await?;
        let sent = self.sent_in(tx, messages).await?;
        let batch = self.plan(before, sent, messages)?;
        self.insert(tx, &batch.rows, messages).await?;
        self.count(tx, &batch.counts).await?;
        deep_replies::recount_in(tx, &batch.branches).await?;
        self.grow_threads(tx, &batch.threads).await?;
        self.follow(tx, batch.follows).await?;
        Ok(batch.rows.into_iter().map(|row| row.known).collect())
    }

    /// Reserves `count` sequence numbers, of which number `last_root` is the last one of a root message, for `roots` root
    /// messages. Returns the last sequence number and the number of root messages before. The conversation stays locked
    /// until the commit.
    async fn take_seqs(
        &self,
        tx: &Tx,
        count: i32,
        (last_root, roots): (i32, i32),
        latest: DateTime<Utc>,
    ) -> Result<(i32, i32), Error> {
        // SQL, because it returns two columns, and the new values depend on the old ones.
        let text = "UPDATE conversation SET last_seq = last_seq + ?,
                 last_root_seq = CASE WHEN ? > 0 THEN last_seq + ? ELSE last_root_seq END,
                 root_count = root_count + ?,
                 last_activity_at = CASE WHEN last_activity_at < ? THEN ? ELSE last_activity_at END
             WHERE id = ? RETURNING last_seq, root_count";
        let values = [
            count.into(),
            last_root.into(),
            last_root.into(),
            roots.into(),
            latest.into(),
            latest.into(),
            self.conversation.into(),
        ];
        let taken: Option<(i32, i32)> = db::fetch_one(tx, text, values).await?;
        let (last, all) = taken.ok_or_else(|| Error::not_found("conversation"))?;
        plain::skip_in(tx, self.conversation, (last - count, last)).await?;
        Ok((last - count, all - roots))
    }

    /// Returns the number of root messages that each sender has sent before.
    async fn sent_in(
        &self,
        tx: &Tx,
        messages: &[ImportedMessage],
    ) -> Result<HashMap<UserId, i32>, Error> {
        let senders: BTreeSet<_> = messages.iter().map(|message| message.sender).collect();
        let table = ValuesCte::new("v (sender)", senders.into_iter().map(|id| [id.into()]));
        // SQL, because it needs one indexed lookup per sender: for a join, the planner may read all messages.
        let text = format!(
            "WITH {} SELECT v.sender, (SELECT m.sender_root_count FROM message m
                 WHERE m.sender_id = v.sender AND m.conversation_id = ? ORDER BY m.seq DESC LIMIT 1)
                 AS sent FROM v",
            table.text
        );
        let values = table.and([self.conversation.into()]);
        let rows: Vec<(Option<_>, Option<_>)> = db::fetch_tuples(tx, &text, values).await?;
        let sent = |(sender, sent): (Option<_>, Option<_>)| sender.zip(sent);
        Ok(rows.into_iter().filter_map(sent).collect())
    }

    /// Computes the rows after this sequence number and this number of root messages, and the changes of the messages above
    /// them.
    fn plan(
        &self,
        (last, mut roots): (i32, i32),
        mut sent: HashMap<UserId, i32>,
        messages: &[ImportedMessage],
    ) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        batch.rows.reserve(messages.len());
        for (message, seq) in messages.iter().zip(last + 1..) {
            let parent = match message.parent {
                Some(parent) => Some((parent, self.existing(&batch, parent)?)),
                None => None,
            };
            let known = match &parent {
                None => ImportedRef {
                    id: message.id,
                    sender: Some(message.sender),
                    parent: None,
                    root: message.id,
                    depth: 0,
                    path: path::path(&[], seq),
                    branch_seq: None,
                },
                Some((number, above)) => {
                    let place = (above.path.as_slice(), above.branch_seq);
                    let (path, branch_seq) = path::reply(place, seq, self.max_depth);
                    ImportedRef {
                        id: message.id,
                        sender: Some(message.sender),
                        parent: Some(*number),
                        root: above.root,
                        depth: above.depth + 1,
                        path,
                        branch_seq,
                    }
                }
            };
            let branch = known.branch_seq.map(|seq| (self.conversation, seq));
            batch.branches.extend(branch);
            if let Some((number, above)) = parent {
                let author = above.sender.filter(|_| above.parent.is_none());
                for follower in [Some(message.sender), author].into_iter().flatten() {
                    batch.follows.insert((follower, known.root));
                }
                self.add(&mut batch, number, seq, known.root, message.at);
            }
            let is_root = known.parent.is_none();
            roots += i32::from(is_root);
            let of_sender = sent.entry(message.sender).or_default();
            *of_sender += i32::from(is_root);
            batch.rows.push(Row {
                seq,
                root_count: roots,
                sender_root_count: *of_sender,
                known,
                replies: 0,
                descendants: 0,
            });
        }
        Ok(batch)
    }

    fn existing(&self, batch: &Batch, number: usize) -> Result<ImportedRef, Error> {
        let known = self.find(batch, number).cloned();
        known.ok_or_else(|| Error::internal("an imported message replies to a later one"))
    }

    fn find<'a>(&'a self, batch: &'a Batch, number: usize) -> Option<&'a ImportedRef> {
        match number.checked_sub(self.known.len()) {
            None => self.known.get(number),
            Some(number) => batch.rows.get(number).map(|row| &row.known),
        }
    }

    /// Adds a reply to the counts of all messages above it, except those of deep replies, which are counted later.
    fn add(&self, batch: &mut Batch, parent: usize, seq: i32, root: MessageId, at: DateTime<Utc>) {
        let growth = batch.threads.entry(root).or_insert(Growth {
            replies: 0,
            last_seq: seq,
            last_at: at,
        });
        growth.replies += 1;
        growth.last_seq = seq;
        growth.last_at = growth.last_at.max(at);
        let mut above = Some(parent);
        while let Some(number) = above {
            let Some(known) = self.find(batch, number) else {
                return;
            };
            above = known.parent;
            if known.branch_seq.is_some() {
                continue;
            }
            let replies = i32::from(number == parent);
            match number.checked_sub(self.known.len()) {
                None => {
                    let counts = batch.counts.entry(number).or_default();
                    *counts = (counts.0 + replies, counts.1 + 1);
                }
                Some(number) => {
                    if let Some(row) = batch.rows.get_mut(number) {
                        row.replies += replies;
                        row.descendants += 1;
                    }
                }
            }
        }
    }

    async fn insert(
        &self,
        tx: &Tx,
        rows: &[Row],
        messages: &[ImportedMessage],
    ) -> Result<(), Error> {
        let pairs: Vec<(&Row, &ImportedMessage)> = rows.iter().zip(messages).collect();
        for some in pairs.chunks(ROWS) {
            let rows = some.iter().map(|(row, message)| {
                let parent = row.known.parent.and_then(|number| self.id_of(rows, number));
                message::ActiveModel {
                    id: Set(message.id),
                    conversation_id: Set(self.conversation),
                    seq: Set(row.seq),
                    sender_id: Set(Some(message.sender)),
                    parent_id: Set(parent),
                    root_id: Set(parent.map(|_| row.known.root)),
                    depth: Set(row.known.depth),
                    path: Set(row.known.path.clone()),
                    branch_seq: Set(row.known.branch_seq),
                    reply_count: Set(row.replies),
                    descendant_count: Set(row.descendants),
                    root_count: Set(row.root_count),
                    sender_root_count: Set(Some(row.sender_root_count)),
                    kind: Set(MessageKind::User),
                    priority: Set(MessagePriority::Normal),
                    body: Set(Some(message.body.clone())),
                    import_key: Set(message.key.clone()),
                    created_at: Set(message.at),
                    ..Default::default()
                }
            });
            message::Entity::insert_many(rows)
                .exec_without_returning(tx)
                .await?;
        }
        Ok(())
    }

    fn id_of(&self, rows: &[Row], number: usize) -> Option<MessageId> {
        match number.checked_sub(self.known.len()) {
            None => self.known.get(number).map(|known| known.id),
            Some(number) => rows.get(number).map(|row| row.known.id),
        }
    }

    async fn count(&self, tx: &Tx, counts: &BTreeMap<usize, (i32, i32)>) -> Result<(), Error> {
        let counts: Vec<_> = counts
            .iter()
            .filter_map(|(number, counts)| Some((self.known.get(*number)?.id, counts)))
            .collect();
        for some in counts.chunks(ROWS) {
            let row = |&(id, &(replies, descendants)): &(MessageId, &(i32, i32))| -> [Value; 3] {
                [id.into(), replies.into(), descendants.into()]
            };
            let table = ValuesCte::new("added (id, replies, descendants)", some.iter().map(row));
            // SQL, because each row gets another number of replies.
            let text = format!(
                "WITH {} UPDATE message SET reply_count = reply_count + added.replies,
                     descendant_count = descendant_count + added.descendants
                 FROM added WHERE message.id = added.id",
                table.text
            );
            db::execute(tx, &text, table.values).await?;
        }
        Ok(())
    }

    async fn grow_threads(
        &self,
        tx: &Tx,
        threads: &BTreeMap<MessageId, Growth>,
    ) -> Result<(), Error> {
        use sea_orm::ExprTrait;

        let threads: Vec<_> = threads.iter().collect();
        for some in threads.chunks(ROWS) {
            let rows = some.iter().map(|(root, growth)| thread::ActiveModel {
                id: Set((**root).into()),
                conversation_id: Set(self.conversation),
                reply_count: Set(growth.replies),
                last_reply_seq: Set(growth.last_seq),
                last_activity_at: Set(growth.last_at),
            });
            let current = |column| Expr::col((thread::Entity, column));
            let new = |column: thread::Column| Expr::col(("excluded", column));
            let (replies, last_at) = (thread::Column::ReplyCount, thread::Column::LastActivityAt);
            let is_later = current(last_at).lt(new(last_at));
            let mut grown = OnConflict::column(thread::Column::Id);
            grown
                .update_column(thread::Column::LastReplySeq)
                .value(replies, current(replies).add(new(replies)))
                .value(
                    last_at,
                    Expr::case(is_later, new(last_at)).finally(current(last_at)),
                );
            thread::Entity::insert_many(rows)
                .on_conflict(grown)
                .exec_without_returning(tx)
                .await?;
        }
        Ok(())
    }

    /// Makes the senders of replies and the author of the root follow the thread.
    async fn follow(&self, tx: &Tx, follows: HashSet<(UserId, MessageId)>) -> Result<(), Error> {
        let mut follows: Vec<_> = follows.into_iter().collect();
        follows.sort_unstable();
        for some in follows.chunks(ROWS) {
            let row = |&(user, root): &(UserId, MessageId)| [user.into(), root.into()];
            let table = ValuesCte::new("wanted (user_id, thread_id)", some.iter().map(row));
            // SQL, because it inserts only the pairs whose user still takes part.
            let text = format!(
                "WITH {} INSERT INTO thread_follow (user_id, thread_id, conversation_id, is_following)
                 SELECT w.user_id, w.thread_id, p.conversation_id, ?
                 FROM wanted w JOIN participant p ON p.user_id = w.user_id AND p.conversation_id = ?
                 WHERE true ON CONFLICT (user_id, thread_id) DO NOTHING",
                table.text
            );
            let values = table.and([true.into(), self.conversation.into()]);
            db::execute(tx, &text, values).await?;
        }
        Ok(())
    }
}
