//! Fast path for lists. When the row or one batched load per level provides every selected field, the list is
//! serialised directly, without a future per field. Anything else falls back to the executor, with the same result.
//!
//! The decision is `docs/adr/0007`, the setting `list_fast_path` switches the path off, and `tests/it/lists.rs`
//! compares it with the executor. What a noun contributes is the table in its `list_fields.rs`.

mod columns;
mod connection_plan;
mod fields;
mod list;
mod plan;
mod preload;
mod selection;

pub use columns::RequiredColumns;
pub use connection_plan::{ConnectionPlan, PlanCache};
pub use fields::{child, computed, loaded, loaded_object, loaded_value};
pub use list::PlannedList;
pub use plan::{FieldRow, Json, NestedField, Plan, PlannedObject, nested, value};
pub use preload::{LoadedValues, PendingKeys, PreloadKey, PreloadedValues};
pub use selection::FieldSelection;
