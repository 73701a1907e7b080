//! The hub of one node: it reads the event log once for all subscribers of the node and dispatches each event to those
//! of its stream. Whether a subscriber may see the objects of an event is checked at delivery, not here.

mod dispatcher;
#[expect(
    clippy::module_inception,
    reason = "the type has the name of the module"
)]
mod hub;
mod sessions;
mod state;
mod subscribers;
mod subscription;

pub(super) use self::subscription::Subscription;
pub use self::{
    hub::Hub,
    sessions::SessionWatch,
    subscribers::{ChangeFilter, Prerender, SubscribeOptions},
};
