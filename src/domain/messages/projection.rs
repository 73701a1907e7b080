//! Rows of messages in lists, of which only what is asked for is read, and with it who sent them. Reads only.

use sea_orm::{DbBackend, DbErr};

use crate::{
    db::RowRef,
    entity::{message, user},
    id::UserId,
};

/// What is read of messages in a list, and of those who sent them. All else is blank in the rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Columns {
    message: Vec<&'static str>,
    sender: Vec<&'static str>,
}

/// A message of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The message.
    pub message: message::Model,
    /// Who sent it, where that was asked for and there is somebody.
    pub sender: Option<user::Model>,
}

impl Columns {
    /// All of the message, and nothing of its sender.
    #[must_use]
    pub fn all() -> Self {
        Self {
            message: message::Model::COLUMNS.to_vec(),
            sender: vec![],
        }
    }

    /// These columns of the message, and these of its sender, whose `id` comes first: without it there is nobody.
    pub fn some(
        message: impl IntoIterator<Item = &'static str>,
        sender: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        Self {
            message: message.into_iter().collect(),
            sender: sender.into_iter().collect(),
        }
    }

    /// The same with these columns of the message, which whoever makes the list needs.
    #[must_use]
    pub fn with(&self, more: &[&'static str]) -> Self {
        let mut columns = self.clone();
        columns.message.extend_from_slice(more);
        columns.message.sort_unstable();
        columns.message.dedup();
        columns
    }

    /// `SELECT … FROM message m`, to which conditions are added.
    #[must_use]
    pub fn select(&self, backend: DbBackend) -> String {
        let message = self.message.iter().map(|column| format!("m.{column}"));
        let sender = self.sender.iter().map(|column| format!("u.{column}"));
        let columns: Vec<_> = message.chain(sender).collect();
        let join = match backend {
            _ if self.sender.is_empty() => "",
            // It plans without the limit, and might take all people for less work than one for each message.
            DbBackend::Postgres => {
                r#" LEFT JOIN LATERAL (SELECT * FROM "user" u WHERE u.id = m.sender_id LIMIT 1) u
                    ON TRUE"#
            }
            _ => r#" LEFT JOIN "user" u ON u.id = m.sender_id"#,
        };
        format!("SELECT {} FROM message m{join}", columns.join(", "))
    }

    /// How many there are.
    #[must_use]
    pub fn width(&self) -> usize {
        self.message.len() + self.sender.len()
    }

    /// Reads a row of such a statement, which begins at this place of a longer one.
    pub fn read(&self, row: &RowRef<'_>, from: usize) -> Result<Row, DbErr> {
        let message = message::Model::partly(row, &self.message, from)?;
        Ok(Row {
            sender: self.sender_of(row, from + self.message.len())?,
            message,
        })
    }

    fn sender_of(&self, row: &RowRef<'_>, from: usize) -> Result<Option<user::Model>, DbErr> {
        if self.sender.is_empty() || row.get::<Option<UserId>>(from)?.is_none() {
            return Ok(None);
        }
        user::Model::partly(row, &self.sender, from).map(Some)
    }
}
