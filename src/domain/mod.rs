//! The rules, one plural module per noun. Reads return selects that are limited to what the viewer may see; writes
//! check, run a transaction, commit and append events. No GraphQL and no HTTP.

pub mod access;
pub mod accounts;
pub mod admin;
pub mod audit;
pub mod blocks;
pub mod conversations;
pub mod import;
pub mod integrity;
pub mod messages;
pub mod notifications;
pub mod pagination;
pub mod participants;
pub mod predicates;
pub mod presence;
pub mod reads;
pub mod sessions;
pub mod text;
pub mod threads;
pub mod users;
