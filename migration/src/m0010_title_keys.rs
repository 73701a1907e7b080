//! The folded form in which titles are searched. Only PostgreSQL can fold letters of every script by itself.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, Statement, Value},
};
use unicode_normalization::UnicodeNormalization;

/// Rows per batch.
const ROWS: u64 = 1000;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(
            manager,
            &["ALTER TABLE conversation ADD COLUMN title_key TEXT"],
        )
        .await?;
        while fill_some(manager.get_connection()).await? == ROWS {}
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, &["ALTER TABLE conversation DROP COLUMN title_key"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Stores the keys of one batch of titles, and returns their number.
async fn fill_some(db: &SchemaManagerConnection<'_>) -> Result<u64, DbErr> {
    let backend = db.get_database_backend();
    let text = format!(
        "SELECT id, title FROM conversation WHERE title IS NOT NULL AND title_key IS NULL LIMIT {ROWS}"
    );
    let rows = db
        .query_all_raw(Statement::from_string(backend, text))
        .await?;
    let mut filled = 0;
    for row in rows {
        let (id, title): (uuid::Uuid, String) = row.try_get_many_by_index()?;
        let key = title.nfc().collect::<String>().to_lowercase();
        let text = "UPDATE conversation SET title_key = $1 WHERE id = $2";
        let values: [Value; 2] = [key.into(), id.into()];
        db.execute_raw(Statement::from_sql_and_values(backend, text, values))
            .await?;
        filled += 1;
    }
    Ok(filled)
}
