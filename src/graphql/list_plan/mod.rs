//! Fast path for lists. When the row or one batched load per level provides every selected field, the list is
//! serialised directly, without a future per field. Anything else falls back to the executor, with the same result.
//!
//! The decision is `docs/adr/0007`, the setting `list_fast_path` switches the path off, and `tests/it/lists.rs`
//! compares it with the executor. What a noun contributes is the table in its `list_fields.rs`.

mod connection_plan;
mod fields;
mod list;
mod plan;
mod selection;
mod values;

pub use connection_plan::{ConnectionPlan, PlanCache};
pub(crate) use fields::{columns, field, require};
pub use list::PlannedList;
pub use plan::{Column, FieldPlan, Json, Part, Plan, PlannedObject, write};
pub use selection::{FieldSelection, RequiredColumns};
pub use values::{KnownValues, ListKey, ListValues};
