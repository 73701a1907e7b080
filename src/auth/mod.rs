//! Passwords, tokens and how often they may be tried. Knows users and sessions by id only.

pub mod known;
pub mod password;
pub mod throttle;
pub mod token;
