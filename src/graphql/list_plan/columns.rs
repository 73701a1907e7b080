//! The columns that a plan reads.

use std::any::Any;

/// The columns that a plan reads, by the type of the column.
#[derive(Default)]
pub struct RequiredColumns(Vec<Box<dyn Any + Send + Sync>>);

impl RequiredColumns {
    /// Adds columns.
    pub fn add<C: Copy + Send + Sync + 'static>(&mut self, columns: &[C]) {
        if columns.is_empty() {
            return;
        }
        match self
            .0
            .iter_mut()
            .find_map(|known| known.downcast_mut::<Vec<C>>())
        {
            Some(known) => known.extend_from_slice(columns),
            None => self.0.push(Box::new(columns.to_vec())),
        }
    }

    /// The added columns of this type, in any order and possibly several times.
    #[must_use]
    pub fn get<C: 'static>(&self) -> &[C] {
        let columns = self
            .0
            .iter()
            .find_map(|known| known.downcast_ref::<Vec<C>>());
        columns.map_or(&[], Vec::as_slice)
    }
}
