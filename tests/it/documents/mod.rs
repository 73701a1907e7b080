//! Documents mean what the specification says: which ones are valid, what their variables are, and how often a field is
//! executed.

mod differential;
mod introspection;
mod merging;
mod validity;
