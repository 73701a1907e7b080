//! One delivery of a subscription, from its stream to the transport.

use super::shared_payload::SharedPayload;

/// What a subscription delivers next.
#[derive(Debug)]
pub enum Delivery<T> {
    /// A payload that was rendered once for all subscribers with the same share key.
    Shared(SharedPayload),
    /// What is executed for this subscriber alone: the item, or later its response.
    Execute(T),
}

impl<T> Delivery<T> {
    /// Converts what is executed.
    pub(super) fn map<U>(self, convert: impl FnOnce(T) -> U) -> Delivery<U> {
        match self {
            Self::Shared(payload) => Delivery::Shared(payload),
            Self::Execute(item) => Delivery::Execute(convert(item)),
        }
    }
}
