//! Fast path for lists. When every selected field comes from the row or from one batched load per level, the list is
//! serialised directly, without a future per field. Anything else falls back to the executor, with the same result.
//!
//! The decision is `docs/adr/0007`, the setting `list_fast_path` switches the path off, and `tests/it/lists.rs`
//! compares it with the executor. What a noun contributes is in its `list_fields.rs`.

mod columns;
mod fields;
mod list;
mod plan;
mod preload;
mod selection;

pub use columns::RequiredColumns;
pub(crate) use columns::{required_columns, required_columns_of};
pub use fields::{ChildObject, ComputedObject, LoadedObject, LoadedValue};
pub use list::{PlannedList, Preloaded};
pub use plan::{Json, NestedField, Plan, PlannedObject};
pub use preload::{LoadedValues, PendingKeys, PreloadKey, PreloadedValues};
pub use selection::Selection;
