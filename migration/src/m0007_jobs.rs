//! Background jobs: rows written by the transaction that requests the work.

crate::ddl::step! {
    creates: ["job"],
    r#"CREATE TABLE job (
        id {uuid} NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        last_error TEXT,
        created_at {time} NOT NULL,
        run_at {time} NOT NULL,
        leased_until {time}
    ) {table}"#,
    r#"CREATE INDEX job_due ON job (status, run_at)"#,
}
