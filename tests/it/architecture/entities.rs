//! Every table has an entity with the same columns, and every foreign key is one of its relations.

use std::collections::{BTreeMap, BTreeSet};

use heddle::{db::Db, entity};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable, RelationTrait, RelationType,
    Statement, sea_query::TableRef,
};

use crate::support::{app::TestApp, both};

/// Columns that an entity cannot have, because only one of the databases has them.
const POSTGRES_ONLY: [(&str, &str); 1] = [("event", "tx")];
/// Relations without a foreign key, because checking it would slow down each message or each key stroke.
const UNCHECKED: [(&str, &str, &str); 2] = [
    ("notification", "conversation_id", "conversation"),
    ("typing", "thread_id", "thread"),
];

both!(
    entities_have_the_columns_of_their_tables,
    foreign_keys_are_relations
);

/// The columns of a table, and the table that each foreign key refers to.
#[derive(Debug, Default, PartialEq)]
struct Table {
    columns: BTreeSet<String>,
    references: BTreeSet<(String, String)>,
}

fn describe<E: EntityTrait + Default>(tables: &mut BTreeMap<String, Table>) {
    let columns = E::Column::iter().map(|column| column.as_str().to_owned());
    let relations = E::Relation::iter().map(|relation| relation.def());
    let owned = relations.filter(|def| !def.is_owner && def.rel_type == RelationType::HasOne);
    let references = owned.map(|def| {
        let column: Vec<_> = def.from_col.iter().map(ToString::to_string).collect();
        let TableRef::Table(target, _) = def.to_tbl else {
            panic!("a relation to something that is not a table");
        };
        (column.join(", "), target.1.to_string())
    });
    let table = Table {
        columns: columns.collect(),
        references: references.collect(),
    };
    let name = E::default().table_name().to_owned();
    assert!(tables.insert(name, table).is_none());
}

macro_rules! described {
    ($($entity:ident),+ $(,)?) => {{
        let mut tables = BTreeMap::new();
        $(describe::<entity::$entity::Entity>(&mut tables);)+
        tables
    }};
}

fn entities() -> BTreeMap<String, Table> {
    described![
        audit_entry,
        audit_head,
        authenticator,
        connected,
        conversation,
        email_token,
        event,
        identity,
        installation,
        invitation,
        job,
        mention,
        message,
        message_revision,
        node,
        notification,
        notification_mark,
        notification_span,
        participant,
        presence,
        read_exception,
        read_mark,
        recovery_code,
        block,
        session,
        thread,
        thread_follow,
        thread_follow_span,
        typing,
        sign_in_attempt,
        user,
    ]
}

async fn rows<const COLUMNS: usize>(db: &Db, sql: &str) -> Vec<[String; COLUMNS]> {
    let statement = Statement::from_string(db.backend(), sql);
    let rows = db.read().query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| std::array::from_fn(|index| row.try_get_by_index(index).unwrap()))
        .collect()
}

async fn migrated(db: &Db) -> BTreeMap<String, Table> {
    let (columns, references) = match db.backend() {
        DbBackend::Postgres => (
            "SELECT table_name::text, column_name::text FROM information_schema.columns
             WHERE table_schema = current_schema()",
            "SELECT t.relname::text, a.attname::text, r.relname::text FROM pg_constraint c
             JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
             WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace",
        ),
        _ => (
            "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
            r#"SELECT t.name, f."from", f."table" FROM sqlite_schema t
               JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'"#,
        ),
    };
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for [table, column] in rows(db, columns).await {
        tables.entry(table).or_default().columns.insert(column);
    }
    for [table, column, target] in rows(db, references).await {
        let table = tables.get_mut(&table).unwrap();
        table.references.insert((column, target));
    }
    tables.remove("seaql_migrations");
    tables
}

async fn entities_have_the_columns_of_their_tables(app: TestApp) {
    let mut tables = migrated(&app.app.db).await;
    for (table, column) in POSTGRES_ONLY {
        tables.get_mut(table).unwrap().columns.remove(column);
    }
    let columns = |tables: BTreeMap<String, Table>| -> BTreeMap<_, _> {
        let columns = tables.into_iter();
        columns.map(|(name, table)| (name, table.columns)).collect()
    };
    assert_eq!(columns(entities()), columns(tables));
}

async fn foreign_keys_are_relations(app: TestApp) {
    let mut tables = migrated(&app.app.db).await;
    for (table, column, target) in UNCHECKED {
        let reference = (column.to_owned(), target.to_owned());
        let is_new = tables.get_mut(table).unwrap().references.insert(reference);
        assert!(is_new, "{table}.{column} has a foreign key");
    }
    let references = |tables: BTreeMap<String, Table>| -> BTreeMap<_, _> {
        let references = tables.into_iter();
        references
            .map(|(name, table)| (name, table.references))
            .collect()
    };
    assert_eq!(references(entities()), references(tables));
}
