//! What all nodes of one database share: a name for themselves, and which keys they seal tokens with.

crate::ddl::step! {
    creates: ["installation"],
    // One row, for ever.
    r#"CREATE TABLE installation (
        one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        id {uuid} NOT NULL,
        key_id TEXT
    ) {table}"#,
    r#"INSERT INTO installation (one, id) VALUES (1, {random})"#,
}
