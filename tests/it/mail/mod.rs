//! Mail: verification of addresses, new addresses and passwords, and the ways in which mail leaves the server.

mod email_change;
mod recovery;
mod required_verification;
mod smtp;
