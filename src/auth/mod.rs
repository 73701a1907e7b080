//! Passwords and tokens. Knows users and sessions by id only.

pub mod password;
pub mod token;
