//! What all nodes of one database share: the name of the installation, and the fingerprint of the keys that sign
//! tokens.

crate::ddl::step! {
    creates: ["installation"],
    // The table has exactly one row.
    r#"CREATE TABLE installation (
        one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        id {uuid} NOT NULL,
        key_id TEXT
    ) {table}"#,
    r#"INSERT INTO installation (one, id) VALUES (1, {random})"#,
}
