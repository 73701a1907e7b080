//! Integration tests. They use the server through its public interfaces.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON answers are read by index; a missing key is null"
)]

mod accounts;
mod across;
mod admin;
mod architecture;
mod attacks;
mod audit;
mod blocks;
mod cli;
mod clients;
mod conversations;
mod crash;
mod database_shares;
mod deletion;
mod documents;
mod email_domains;
mod erasure;
mod failed_commits;
mod first_start;
mod input_limits;
mod invitations;
mod jobs;
mod lists;
mod live;
mod long_thread;
mod mail;
mod messages;
mod notifications;
mod page_info;
mod participants;
mod presence;
mod properties;
mod rate_limits;
mod readme;
mod reads;
mod receipts;
mod retention;
mod second_factor;
mod send_batching;
mod sessions;
mod support;
mod texts;
mod threads;
mod transport;
mod trusted_issuers;
mod users;
