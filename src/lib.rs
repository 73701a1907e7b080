//! Heddle is a threaded-messaging server with a GraphQL API.
//!
//! Dependencies point in one direction: `http` (transport) → `graphql` (API) → `domain` (rules) → `entity` (tables).
//! `live` (event stream), `auth`, `egress`, `jobs` and `mail` are used by `domain` and do not depend on the layers above
//! it. `id`, `error`, `config`, `clock` and `db` are below all of them. ARCHITECTURE.md describes the modules and follows
//! a request through them.

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod db;
pub mod domain;
pub mod egress;
pub mod entity;
pub mod error;
pub mod graphql;
pub mod http;
pub mod id;
pub mod jobs;
pub mod live;
pub mod mail;
pub mod request_scope;
pub mod telemetry;
pub mod worker;
