//! Heddle: a threaded-messaging server with a GraphQL API.

pub mod domain;
pub mod http;
