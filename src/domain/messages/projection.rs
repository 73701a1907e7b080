//! What message lists read: whole messages, or some columns of each message and of its sender, in one statement.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use sea_orm::{DbBackend, DbErr};

use crate::{
    db::RowRef,
    entity::{
        message,
        partial::{self, Columns, Partial, RowKey},
        user,
    },
    id::UserId,
};

/// What is read of each message of a list.
pub trait MessageProjection: Clone + Eq + Hash + Send + Sync + 'static {
    /// A message of the list.
    type Row: Clone + Send + Sync + 'static;

    /// The columns.
    fn columns(&self) -> MessageColumns;

    /// Reads a row that has these columns, starting at this index.
    fn read<K: RowKey<message::Model>>(
        columns: &MessageColumns,
        senders: &Senders,
        row: &RowRef<'_>,
        from: usize,
    ) -> Result<(K, Self::Row), DbErr>;
}

/// All columns of the messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WholeMessages;

impl MessageProjection for WholeMessages {
    type Row = message::Model;

    fn columns(&self) -> MessageColumns {
        MessageColumns {
            message: Columns::all(),
            sender: Columns::new([]),
        }
    }

    fn read<K: RowKey<message::Model>>(
        _: &MessageColumns,
        _: &Senders,
        row: &RowRef<'_>,
        from: usize,
    ) -> Result<(K, message::Model), DbErr> {
        let message = partial::read_whole(row, from)?;
        Ok((K::of(&message), message))
    }
}

/// Some columns of the messages, and of their senders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageColumns {
    message: Columns<message::Column>,
    sender: Columns<user::Column>,
}

/// A message of which some columns are read, and its sender, if their columns are read and the message has one.
pub type MessageRow = (
    Partial<Arc<message::Model>>,
    Option<(UserId, Partial<Arc<user::Model>>)>,
);

/// The senders of a list. Each is read once.
pub type Senders = Mutex<HashMap<UserId, Partial<Arc<user::Model>>>>;

impl MessageColumns {
    /// These columns of the message, and of its sender.
    pub fn new(
        message: impl IntoIterator<Item = message::Column>,
        sender: impl IntoIterator<Item = user::Column>,
    ) -> Self {
        let mut sender = Columns::new(sender);
        if !sender.is_empty() {
            // Without the id, a message without a sender cannot be recognised.
            sender = sender.with(&["id"]);
        }
        let message = Columns::new(message);
        Self { message, sender }
    }
}

impl MessageProjection for MessageColumns {
    type Row = MessageRow;

    fn columns(&self) -> MessageColumns {
        self.clone()
    }

    fn read<K: RowKey<message::Model>>(
        columns: &MessageColumns,
        senders: &Senders,
        row: &RowRef<'_>,
        from: usize,
    ) -> Result<(K, MessageRow), DbErr> {
        let (key, message) = Partial::read_with_key(row, &columns.message, from)?;
        let from = from + columns.message.len();
        let message = message.map(Arc::new);
        if columns.sender.is_empty() {
            return Ok((key, (message, None)));
        }
        let Some(id) = row.get::<Option<UserId>>(from)? else {
            return Ok((key, (message, None)));
        };
        let mut senders = senders.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match senders.entry(id) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => {
                let sender = Partial::read(row, &columns.sender, from)?;
                new.insert(sender.map(Arc::new)).clone()
            }
        };
        Ok((key, (message, Some((id, sender)))))
    }
}

/// Reads the messages of a list, each with its key.
#[derive(Debug)]
pub struct MessageReader<P, K> {
    columns: MessageColumns,
    senders: Senders,
    of: PhantomData<fn() -> (P, K)>,
}

impl<P: MessageProjection, K: RowKey<message::Model>> MessageReader<P, K> {
    /// Reads what the projection names, and the columns of the key.
    pub fn new(projection: &P) -> Self {
        let MessageColumns { message, sender } = projection.columns();
        let message = message.with(K::COLUMNS);
        Self {
            columns: MessageColumns { message, sender },
            senders: Senders::default(),
            of: PhantomData,
        }
    }

    /// `SELECT … FROM message m`, to which conditions are added.
    #[must_use]
    pub fn select(&self, backend: DbBackend) -> String {
        self.select_from(backend, "message m")
    }

    /// [`MessageReader::select`] from a table that contains the messages as `m`.
    #[must_use]
    pub fn select_from(&self, backend: DbBackend, table: &str) -> String {
        let MessageColumns { message, sender } = &self.columns;
        let message = message.names().map(|column| format!("m.{column}"));
        let names = sender.names().map(|column| format!("u.{column}"));
        let columns: Vec<_> = message.chain(names).collect();
        let join = match backend {
            _ if sender.is_empty() => "",
            // PostgreSQL plans without the limit, and might prefer to read all users instead of one for each message.
            DbBackend::Postgres => {
                r#" LEFT JOIN LATERAL (SELECT * FROM "user" u WHERE u.id = m.sender_id LIMIT 1) u
                    ON TRUE"#
            }
            _ => r#" LEFT JOIN "user" u ON u.id = m.sender_id"#,
        };
        format!("SELECT {} FROM {table}{join}", columns.join(", "))
    }

    /// The number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.message.len() + self.columns.sender.len()
    }

    /// Reads a row of such a statement, starting at this index.
    pub fn read(&self, row: &RowRef<'_>, from: usize) -> Result<(K, P::Row), DbErr> {
        P::read(&self.columns, &self.senders, row, from)
    }
}
