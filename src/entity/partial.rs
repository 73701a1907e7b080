//! Rows of which only some columns are read. A partial row is a type of its own, so that code that needs the whole row
//! does not compile with it.

use std::hash::{Hash, Hasher};

use sea_orm::{DbErr, EntityTrait, IdenStatic, Iterable, ModelTrait};

use crate::db::RowRef;

/// A row, or a value made from one, of which only some columns were read. The others have default values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial<T>(T);

impl<T> Partial<T> {
    /// The value, for code that reads only the loaded columns.
    pub fn loaded(&self) -> &T {
        &self.0
    }

    /// Converts the value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Partial<U> {
        Partial(convert(self.0))
    }

    /// The value, for callers that loaded every column that is used of it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Partial<T> {
    fn from(whole: T) -> Self {
        Self(whole)
    }
}

/// The column type of a model.
pub type ColumnOf<M> = <<M as ModelTrait>::Entity as EntityTrait>::Column;

impl<M: ModelTrait + Default> Partial<M> {
    /// Reads a row that has these columns, starting at this index.
    pub fn read(
        row: &RowRef<'_>,
        columns: &Columns<ColumnOf<M>>,
        from: usize,
    ) -> Result<Self, DbErr> {
        let mut model = M::default();
        for (index, &column) in (from..).zip(&columns.0) {
            model.try_set(column, row.value(M::get_value_type(column), index)?)?;
        }
        Ok(Self(model))
    }
}

/// A set of columns of one table: first `id`, if it is one of them, then the others by name.
#[derive(Clone, Debug)]
pub struct Columns<C>(Vec<C>);

impl<C: IdenStatic + Iterable> Columns<C> {
    /// The set of these columns.
    pub fn new(columns: impl IntoIterator<Item = C>) -> Self {
        let mut columns: Vec<C> = columns.into_iter().collect();
        columns.sort_unstable_by_key(|column| (column.as_str() != "id", column.as_str()));
        columns.dedup_by_key(|column| column.as_str());
        Self(columns)
    }

    /// Every column of the table.
    #[must_use]
    pub fn all() -> Self {
        Self::new(C::iter())
    }

    /// Adds these columns.
    #[must_use]
    pub fn with(&self, more: &[C]) -> Self {
        Self::new(self.0.iter().chain(more).copied())
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(IdenStatic::as_str).collect()
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The index of a column.
    #[must_use]
    pub fn position(&self, column: C) -> Option<usize> {
        self.0
            .iter()
            .position(|one| one.as_str() == column.as_str())
    }
}

impl<C: IdenStatic + Iterable> PartialEq for Columns<C> {
    fn eq(&self, other: &Self) -> bool {
        self.0
            .iter()
            .map(IdenStatic::as_str)
            .eq(other.0.iter().map(IdenStatic::as_str))
    }
}

impl<C: IdenStatic + Iterable> Eq for Columns<C> {}

impl<C: IdenStatic + Iterable> Hash for Columns<C> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names().hash(state);
    }
}
