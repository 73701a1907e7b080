//! The event stream as clients see it.

mod build;
mod filter;
mod query;
mod subscription;
mod telling;
pub mod types;

pub use query::EventQuery;
pub use subscription::EventSubscription;
