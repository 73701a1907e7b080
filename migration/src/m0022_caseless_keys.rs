//! The forms in which names, titles and addresses are compared: full case folding instead of lower case. The databases
//! fold differently, so the forms are computed here. This is a copy of what the server does, because a migration never
//! changes.

use icu_casemap::CaseMapper;
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend, Statement, Value},
};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// Rows per batch.
const ROWS: usize = 1000;

/// A column that contains the form of another column.
struct KeyColumn {
    table: &'static str,
    text: &'static str,
    key: &'static str,
    form: fn(&str) -> String,
    is_unique: bool,
}

const KEYS: [KeyColumn; 4] = [
    KeyColumn {
        table: "conversation",
        text: "title",
        key: "title_key",
        form: caseless,
        is_unique: false,
    },
    KeyColumn {
        table: "user",
        text: "display_name",
        key: "display_name_key",
        form: caseless,
        is_unique: false,
    },
    KeyColumn {
        table: "user",
        text: "email",
        key: "email_key",
        form: email_key,
        is_unique: true,
    },
    KeyColumn {
        table: "user",
        text: "import_key",
        key: "import_key",
        form: email_key,
        is_unique: true,
    },
];

/// PostgreSQL sorts by the language of the database otherwise.
const SORTED_BY_CHARACTER: &str =
    r#"ALTER TABLE "user" ALTER COLUMN display_name_key TYPE text COLLATE "C""#;
const SORTED_BY_LANGUAGE: &str =
    r#"ALTER TABLE "user" ALTER COLUMN display_name_key TYPE text COLLATE "default""#;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for key in &KEYS {
            let mut last = Some(Uuid::nil());
            while let Some(after) = last {
                last = fill_some(db, key, after).await?;
            }
        }
        if db.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared(SORTED_BY_CHARACTER).await?;
        }
        Ok(())
    }

    /// The former versions can read the new forms; they write their own with the next change.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if db.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared(SORTED_BY_LANGUAGE).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Updates the forms of one batch of rows that follow this id. Returns the last id, or none at the end.
async fn fill_some(
    db: &SchemaManagerConnection<'_>,
    KeyColumn {
        table,
        text,
        key,
        form,
        is_unique,
    }: &KeyColumn,
    after: Uuid,
) -> Result<Option<Uuid>, DbErr> {
    let backend = db.get_database_backend();
    let select = format!(
        r#"SELECT id, {text}, {key} FROM "{table}" WHERE id > $1 AND {text} IS NOT NULL
           ORDER BY id LIMIT {ROWS}"#
    );
    let values: [Value; 1] = [after.into()];
    let rows = db
        .query_all_raw(Statement::from_sql_and_values(backend, select, values))
        .await?;
    // An account whose address has the form of another account keeps the former one.
    let is_free = if *is_unique {
        format!(r#" AND NOT EXISTS (SELECT 1 FROM "{table}" other WHERE other.{key} = $1)"#)
    } else {
        String::new()
    };
    let update = format!(r#"UPDATE "{table}" SET {key} = $1 WHERE id = $2{is_free}"#);
    let mut last = None;
    let is_full = rows.len() == ROWS;
    for row in rows {
        let (id, text, stored): (Uuid, String, Option<String>) = row.try_get_many_by_index()?;
        let new = form(&text);
        if stored.as_deref() != Some(new.as_str()) {
            let values: [Value; 2] = [new.into(), id.into()];
            db.execute_raw(Statement::from_sql_and_values(backend, &update, values))
                .await?;
        }
        last = Some(id);
    }
    Ok(last.filter(|_| is_full))
}

fn caseless(text: &str) -> String {
    let mapper = CaseMapper::new();
    let decomposed: String = text.nfd().collect();
    let compatible: String = mapper.fold_string(&decomposed).nfkc().collect();
    let mut folded = String::with_capacity(compatible.len());
    for char in mapper.fold_string(&compatible).chars() {
        match char {
            'ı' => folded.push('i'),
            '\u{307}' if folded.ends_with('i') => {}
            char if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char) => {}
            char => folded.push(char),
        }
    }
    folded.nfkc().collect()
}

fn email_key(text: &str) -> String {
    let fold = |text: &str| -> String {
        let text: String = text.nfc().collect();
        CaseMapper::new().fold_string(&text).nfc().collect()
    };
    let Some((local, domain)) = text.rsplit_once('@') else {
        return fold(text);
    };
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::URL,
        Hyphens::Allow,
        DnsLength::Ignore,
    );
    match ascii {
        Ok(domain) => format!("{}@{domain}", fold(local)),
        Err(_) => format!("{}@{}", fold(local), fold(domain)),
    }
}
