//! Heddle: a threaded-messaging server with a GraphQL API.

pub mod cli;
pub mod domain;
pub mod http;
