//! The event stream as clients see it.

mod build;
pub mod feed;
pub mod filter;
pub mod interface;
pub mod plan;
mod query;
pub mod share;
mod streams;
mod subscription;
mod telling;
pub mod types;

pub use query::EventQuery;
pub use subscription::EventSubscription;
