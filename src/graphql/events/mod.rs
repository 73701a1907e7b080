//! `Subscription.events`, `Subscription.messageSent` and `Query.eventCursor`: the event stream as clients see it.
//!
//! Subscribers whose payloads would be equal share one. The setting `share_subscription_payloads` turns this off,
//! `docs/adr/0010-subscribers-share-payloads.md` records the decision, and `tests/it/live/share.rs` compares shared
//! payloads with those of a subscription that cannot share.

pub mod delivery;
mod event_builder;
mod feed;
mod feed_stream;
pub mod filter;
pub mod interface;
mod query;
pub mod shareable_fields;
pub mod shared_payload;
pub mod stream;
mod subscriber_stream;
mod subscription;
pub mod types;

pub use query::EventQuery;
pub use subscription::EventSubscription;
