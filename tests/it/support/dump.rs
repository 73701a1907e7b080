//! Dumps a whole database as text, for tests that verify that something is deleted.

use heddle::db::Db;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// Returns every row of every table.
pub(crate) async fn dump(db: &Db) -> String {
    let (tables, row) = match db.backend() {
        DbBackend::Sqlite => (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            None,
        ),
        _ => (
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
            Some("SELECT row_to_json(t)::text FROM \"TABLE\" t"),
        ),
    };
    let mut text = String::new();
    for table in texts(db, tables).await {
        let rows = if let Some(row) = row {
            row.replace("TABLE", &table)
        } else {
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let quoted: Vec<_> = texts(db, &columns)
                .await
                .iter()
                .map(|name| format!("quote(\"{name}\")"))
                .collect();
            format!("SELECT {} FROM \"{table}\"", quoted.join(" || '|' || "))
        };
        text.push_str(&texts(db, &rows).await.join("\n"));
    }
    assert!(
        text.contains("m0001_accounts"),
        "the dump reads what is there"
    );
    text
}

async fn texts(db: &Db, sql: &str) -> Vec<String> {
    let rows = db
        .read()
        .query_all_raw(Statement::from_string(db.backend(), sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}
