//! Heddle: a threaded-messaging server with a GraphQL API.
//!
//! `http` (the door) → `graphql` (the face) → `domain` (the rules) → `entity` (the tables). `live`
//! (the stream), `auth` and `jobs` stand beside `domain` and know nothing above it. `id`, `error`,
//! `config`, `clock` and `db` lie under everything. ARCHITECTURE.md walks through the rooms.

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod db;
pub mod domain;
pub mod entity;
pub mod error;
pub mod graphql;
pub mod http;
pub mod id;
pub mod jobs;
pub mod live;
pub mod telemetry;
pub mod worker;
