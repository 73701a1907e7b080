//! The event stream as clients see it.

mod event_builder;
pub mod filter;
pub mod interface;
mod query;
mod request;
pub mod shareable_fields;
pub mod shared_payload;
pub mod stream;
mod streams;
mod subscriber_stream;
mod subscription;
pub mod types;

pub use query::EventQuery;
pub use subscription::EventSubscription;
