//! Dispatches events of the log to the subscribers of this node.

/// The event stream of one node. Cheap to clone.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Hub;
