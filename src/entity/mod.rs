//! SeaORM entities, one file for each table: columns, relations, stored enums and pure functions of a row. Contains no
//! queries, no rules and no GraphQL.
#![expect(
    missing_docs,
    reason = "SeaORM's derives make public items that cannot carry docs"
)]

pub mod audit_entry;
pub mod audit_head;
pub mod authenticator;
pub mod block;
pub mod connected;
pub mod conversation;
pub mod email_token;
pub mod event;
pub mod identity;
pub mod installation;
pub mod invitation;
pub mod job;
pub mod mention;
pub mod message;
pub mod message_revision;
pub mod node;
pub mod notification;
pub mod notification_mark;
pub mod notification_span;
pub mod partial;
pub mod participant;
pub mod presence;
pub mod read_exception;
pub mod read_mark;
pub mod recovery_code;
pub mod session;
pub mod sign_in_attempt;
pub mod thread;
pub mod thread_follow;
pub mod thread_follow_span;
pub mod typing;
pub mod user;
