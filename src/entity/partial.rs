//! Rows of which only some columns are read. A partial row gives no access to its columns: a list reads its keys with
//! [`row_key!`], and the list plan reads the columns that its fields name.

use std::{
    hash::{Hash, Hasher},
    mem::discriminant,
};

use sea_orm::{DbErr, EntityTrait, IdenStatic, Iterable, ModelTrait};

use crate::db::RowRef;

/// A row, or a value made from one, of which only some columns were read. The others have default values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial<T>(T);

impl<T> Partial<T> {
    /// The value, for the list plan. The architecture tests verify that no other module calls this.
    pub fn assume_loaded(&self) -> &T {
        &self.0
    }

    /// Converts the value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Partial<U> {
        Partial(convert(self.0))
    }
}

impl<T> From<T> for Partial<T> {
    fn from(whole: T) -> Self {
        Self(whole)
    }
}

/// The column type of a model.
pub type ColumnOf<M> = <<M as ModelTrait>::Entity as EntityTrait>::Column;

/// The columns that a list always reads, for its order and its cursors.
pub trait RowKey<M: ModelTrait>: Clone + Send + Sync + 'static {
    /// Their names.
    const COLUMNS: &'static [&'static str];

    /// Their values in a row.
    fn of(row: &M) -> Self;
}

/// Defines a [`RowKey`] with these fields of the model of a table.
macro_rules! row_key {
    (
        $(#[$doc:meta])*
        $name:ident of $table:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $crate::entity::partial::RowKey<$table::Model> for $name {
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn of(row: &$table::Model) -> Self {
                Self { $($field: row.$field.clone()),+ }
            }
        }
    };
}
pub(crate) use row_key;

/// Reads columns of a row, starting at this index.
fn read<M: ModelTrait + Default>(
    row: &RowRef<'_>,
    columns: impl Iterator<Item = ColumnOf<M>>,
    from: usize,
) -> Result<M, DbErr> {
    let mut model = M::default();
    for (index, column) in (from..).zip(columns) {
        model.try_set(column, row.value(M::get_value_type(column), index)?)?;
    }
    Ok(model)
}

/// Reads a row that has the columns of [`Columns::all`], starting at this index.
pub fn read_whole<M: ModelTrait + Default>(row: &RowRef<'_>, from: usize) -> Result<M, DbErr> {
    read(row, ColumnOf::<M>::iter(), from)
}

impl<M: ModelTrait + Default> Partial<M> {
    /// Reads a row that has these columns, starting at this index.
    pub fn read(
        row: &RowRef<'_>,
        columns: &Columns<ColumnOf<M>>,
        from: usize,
    ) -> Result<Self, DbErr> {
        read(row, columns.0.iter().copied(), from).map(Self)
    }

    /// Reads a row and its key, whose columns are among these.
    pub fn read_with_key<K: RowKey<M>>(
        row: &RowRef<'_>,
        columns: &Columns<ColumnOf<M>>,
        from: usize,
    ) -> Result<(K, Self), DbErr> {
        let row = read(row, columns.0.iter().copied(), from)?;
        Ok((K::of(&row), Self(row)))
    }
}

/// A set of columns of one table, in the order of the table.
#[derive(Clone, Debug)]
pub struct Columns<C>(Vec<C>);

impl<C: IdenStatic + Iterable> Columns<C> {
    /// The set of these columns.
    pub fn new(columns: impl IntoIterator<Item = C>) -> Self {
        let columns: Vec<_> = columns.into_iter().map(|one| discriminant(&one)).collect();
        let is_wanted = |column: &C| columns.contains(&discriminant(column));
        Self(C::iter().filter(is_wanted).collect())
    }

    /// Every column of the table.
    #[must_use]
    pub fn all() -> Self {
        Self(C::iter().collect())
    }

    /// Adds the columns with these names.
    #[must_use]
    pub fn with(&self, names: &[&str]) -> Self {
        let more = C::iter().filter(|column| names.contains(&column.as_str()));
        Self::new(self.0.iter().copied().chain(more))
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(IdenStatic::as_str)
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
}

impl<C> PartialEq for Columns<C> {
    fn eq(&self, other: &Self) -> bool {
        self.0
            .iter()
            .map(discriminant)
            .eq(other.0.iter().map(discriminant))
    }
}

impl<C> Eq for Columns<C> {}

impl<C> Hash for Columns<C> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0
            .iter()
            .for_each(|column| discriminant(column).hash(state));
    }
}
