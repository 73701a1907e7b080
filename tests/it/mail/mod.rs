//! Mail: verification of addresses, new passwords, and the ways in which mail leaves the server.

mod recovery;
mod smtp;
