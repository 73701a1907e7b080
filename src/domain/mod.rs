//! The rules. One plural file per noun: reads give selects that are already narrowed to what the
//! viewer may see, writes check, transact, commit and announce. No GraphQL, no HTTP.

pub mod access;
pub mod accounts;
pub mod administration;
pub mod bulk;
pub mod conversations;
pub mod messages;
pub mod notifications;
pub mod page;
pub mod participants;
pub mod presence;
pub mod reads;
pub mod recount;
pub mod sessions;
pub mod text;
pub mod threads;
pub mod users;
