//! The columns and rows of message lists: the selected columns of each message and of its sender, in one statement.

use sea_orm::{DbBackend, DbErr};

use crate::{
    db::RowRef,
    entity::{
        message,
        partial::{self, Partial},
        user,
    },
    id::UserId,
};

/// The columns that are read of the messages of a list, and of their senders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageColumns {
    message: partial::Columns<message::Column>,
    sender: partial::Columns<user::Column>,
}

/// A message of a list.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// The message.
    pub message: Partial<message::Model>,
    /// The sender, if their columns are read and the message has one.
    pub sender: Option<Partial<user::Model>>,
}

impl MessageColumns {
    /// All columns of the message, and none of its sender.
    #[must_use]
    pub fn all() -> Self {
        Self {
            message: partial::Columns::all(),
            sender: partial::Columns::new([]),
        }
    }

    /// These columns of the message, and of its sender.
    pub fn new(
        message: impl IntoIterator<Item = message::Column>,
        sender: impl IntoIterator<Item = user::Column>,
    ) -> Self {
        let mut sender = partial::Columns::new(sender);
        if !sender.is_empty() {
            // Without the id, a message without a sender cannot be recognised.
            sender = sender.with(&[user::Column::Id]);
        }
        Self {
            message: partial::Columns::new(message),
            sender,
        }
    }

    /// Adds columns of the message.
    #[must_use]
    pub fn with(&self, more: &[message::Column]) -> Self {
        Self {
            message: self.message.with(more),
            sender: self.sender.clone(),
        }
    }

    /// `SELECT … FROM message m`, to which conditions are added.
    #[must_use]
    pub fn select(&self, backend: DbBackend) -> String {
        let (message, sender) = (self.message.names(), self.sender.names());
        let message = message.iter().map(|column| format!("m.{column}"));
        let sender = sender.iter().map(|column| format!("u.{column}"));
        let columns: Vec<_> = message.chain(sender).collect();
        let join = match backend {
            _ if self.sender.is_empty() => "",
            // PostgreSQL plans without the limit, and might prefer to read all users instead of one for each message.
            DbBackend::Postgres => {
                r#" LEFT JOIN LATERAL (SELECT * FROM "user" u WHERE u.id = m.sender_id LIMIT 1) u
                    ON TRUE"#
            }
            _ => r#" LEFT JOIN "user" u ON u.id = m.sender_id"#,
        };
        format!("SELECT {} FROM message m{join}", columns.join(", "))
    }

    /// The number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.message.len() + self.sender.len()
    }

    /// Reads a row of such a statement, starting at this index.
    pub fn read(&self, row: &RowRef<'_>, from: usize) -> Result<MessageRow, DbErr> {
        Ok(MessageRow {
            message: Partial::read(row, &self.message, from)?,
            sender: self.read_sender(row, from + self.message.len())?,
        })
    }

    fn read_sender(
        &self,
        row: &RowRef<'_>,
        from: usize,
    ) -> Result<Option<Partial<user::Model>>, DbErr> {
        let Some(id) = self.sender.position(user::Column::Id) else {
            return Ok(None);
        };
        if row.get::<Option<UserId>>(from + id)?.is_none() {
            return Ok(None);
        }
        Partial::read(row, &self.sender, from).map(Some)
    }
}
