//! Stories of the door itself: what it lets in, what it answers, and that it stands. Most need no particular database.

mod executor;
mod hostile_documents;
mod http;
mod oplog;
mod socket;
mod sse;
