//! The rules. One plural file per noun: reads give selects that are already narrowed to what the
//! viewer may see, writes check, transact, commit and announce. No GraphQL, no HTTP.

pub mod access;
pub mod accounts;
pub mod admin;
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
