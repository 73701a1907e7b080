//! The only HTTP client of the server. It connects to public addresses and to the networks that the operator allows.

mod addresses;
mod client;

pub use client::{Egress, EgressError};
