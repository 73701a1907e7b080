//! Inserts many rows in a few statements: generated history, or history from elsewhere. It keeps the rules of the tables,
//! but appends no events and creates no notifications. Users send messages through `messages::send`.

pub mod archive;
mod claim;
pub mod demo;
mod history;
mod rows;

pub use claim::claim_in;
pub use history::{History, ImportedMessage, ImportedRef};
use rows::people_in;
pub use rows::{ImportedGroup, ImportedMember, group_in, members_in, users_in};

/// Rows in one statement: SQLite binds at most 32,766 values, and a row of the widest table has 27.
const ROWS: usize = 500;
