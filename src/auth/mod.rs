//! Passwords, tokens and how often they may be tried. Knows users and sessions by id only.

pub mod password;
pub mod rate_limit;
pub mod session_cache;
pub mod token;
