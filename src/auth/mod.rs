//! Passwords, tokens, rate limits, reservations and the session cache. Identifies users and sessions only by id.

pub mod action_limits;
pub mod password;
pub mod rate_limit;
pub mod reservations;
pub mod sealing;
pub mod secret_token;
pub mod session_cache;
pub mod token;
pub mod trusted_issuers;
mod turns;
