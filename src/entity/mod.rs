//! The tables. One file each: columns, relations, stored enums, pure questions on a row. No async, no
//! GraphQL, no rules.
#![expect(
    missing_docs,
    reason = "SeaORM's derives make public items that cannot carry docs"
)]

/// Reading rows in part: `COLUMNS` names them all as the database does, `partly` reads a row that has only some of
/// them. The others are blank.
macro_rules! partly {
    ($($column:literal => $field:ident),+ $(,)?) => {
        impl Model {
            pub const COLUMNS: &[&str] = &[$($column),+];

            /// A row that has these columns, from this place on.
            pub fn partly(
                row: &crate::db::RowRef<'_>,
                columns: &[&str],
                from: usize,
            ) -> Result<Self, sea_orm::DbErr> {
                let mut model = Self::default();
                for (index, column) in (from..).zip(columns) {
                    match *column {
                        $($column => model.$field = row.get(index)?,)+
                        unknown => {
                            return Err(sea_orm::DbErr::Custom(format!("no column {unknown}")));
                        }
                    }
                }
                Ok(model)
            }
        }
    };
}

pub mod connected;
pub mod conversation;
pub mod event;
pub mod installation;
pub mod job;
pub mod mention;
pub mod message;
pub mod message_revision;
pub mod node;
pub mod notification;
pub mod participant;
pub mod presence;
pub mod read_exception;
pub mod read_mark;
pub mod session;
pub mod thread;
pub mod thread_follow;
pub mod typing;
pub mod unknown_sign_in;
pub mod user;
