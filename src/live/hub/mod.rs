//! The hub of one node: it reads the event log once for all subscribers of the node and dispatches each event to those
//! of its stream. Whether a subscriber may see the objects of an event is checked at delivery, not here.
//!
//! The task that reads the log waits for nothing else. What has to be looked up or rendered runs in other tasks, and the
//! events that depend on it wait in the [`outlet`]s of their subscribers.

mod admission;
mod audiences;
mod dispatcher;
mod ephemeral_checks;
#[expect(
    clippy::module_inception,
    reason = "the type has the name of the module"
)]
mod hub;
mod options;
mod outlet;
mod request;
mod session_checks;
mod sessions;
mod state;
mod subscribers;
mod subscription;

pub(super) use self::subscription::Subscription;
pub use self::{
    hub::Hub,
    options::{ChangeFilter, Prerender, SubscribeOptions},
    sessions::SessionWatch,
};
