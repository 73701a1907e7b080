//! Runs SQL that is written once for both databases, after replacing the type names that differ.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// The placeholders, with their text on SQLite and on PostgreSQL.
const TYPES: [(&str, &str, &str); 14] = [
    ("{uuid}", "BLOB", "uuid"),
    ("{bytes}", "BLOB", "bytea"),
    ("{time}", "TEXT", "timestamptz"),
    ("{bool}", "INTEGER", "boolean"),
    ("{long}", "INTEGER", "bigint"),
    (
        "{position}",
        "INTEGER PRIMARY KEY AUTOINCREMENT",
        "bigserial PRIMARY KEY",
    ),
    // Text in the order of its characters. PostgreSQL sorts by the language of the database otherwise.
    ("{characters}", "TEXT", r#"text COLLATE "C""#),
    (
        "{hex of u.id}",
        "lower(hex(u.id))",
        "replace(CAST(u.id AS text), '-', '')",
    ),
    // A new id.
    ("{random}", "randomblob(16)", "gen_random_uuid()"),
    ("{false}", "0", "false"),
    ("{true}", "1", "true"),
    // A new id that begins with the time of the id of `m`.
    (
        "{id of m.id}",
        "unhex(substr(hex(m.id), 1, 13) || substr(hex(randomblob(10)), 1, 19))",
        "CAST(left(replace(CAST(m.id AS text), '-', ''), 13)
             || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 19) AS uuid)",
    ),
    // Without a write-ahead log: the table is empty after a crash, and the nodes fill it again.
    ("{unlogged}", "", "UNLOGGED"),
    // SQLite checks column types only in strict tables.
    ("{table}", "STRICT", ""),
];

/// Runs the statements one after the other.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
        let sql = TYPES
            .iter()
            .fold((*statement).to_owned(), |sql, (name, lite, postgres)| {
                sql.replace(name, if sqlite { lite } else { postgres })
            });
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Defines a migration from the statements of both directions, or from the tables that it creates and the statements
/// that create them.
macro_rules! step {
    (up: $up:expr, down: $down:expr $(,)?) => {
        #[derive(sea_orm_migration::prelude::DeriveMigrationName)]
        pub(crate) struct Step;

        #[sea_orm_migration::async_trait::async_trait]
        impl sea_orm_migration::prelude::MigrationTrait for Step {
            async fn up(
                &self,
                manager: &sea_orm_migration::prelude::SchemaManager,
            ) -> Result<(), sea_orm_migration::prelude::DbErr> {
                crate::ddl::run(manager, $up).await
            }

            async fn down(
                &self,
                manager: &sea_orm_migration::prelude::SchemaManager,
            ) -> Result<(), sea_orm_migration::prelude::DbErr> {
                crate::ddl::run(manager, $down).await
            }

            /// SQLite uses no transaction by default, so a failed migration would leave its tables.
            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }
        }
    };
    (creates: [$($table:literal),*], $($statement:literal),* $(,)?) => {
        crate::ddl::step! {
            up: &[$($statement),*],
            down: &[$(concat!("DROP TABLE \"", $table, "\"")),*],
        }
    };
}
pub(crate) use step;
