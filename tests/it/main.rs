//! Stories told through the front door.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON answers are read by index; a missing key is null"
)]

mod accounts;
mod cli;
mod clients;
mod conversations;
mod crash;
mod deletion;
mod failed_commits;
mod house;
mod jobs;
mod lists;
mod live;
mod long_thread;
mod messages;
mod notifications;
mod participants;
mod presence;
mod properties;
mod readme;
mod reads;
mod receipts;
mod sessions;
mod support;
mod threads;
mod together;
mod transport;
mod users;
