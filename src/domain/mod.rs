//! The rules. One plural file per noun; no GraphQL and no HTTP.

pub mod text;
