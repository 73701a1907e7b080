//! Deletes accounts, and counts beforehand what a deletion removes.

mod affected;
mod delete;
mod messages;
mod preview;

pub use delete::{AccountDeletion, delete};
pub use messages::SentMessages;
pub use preview::{DeletionPreview, deletion_preview};
