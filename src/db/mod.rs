//! Database access: connections, transactions, SQL helpers and statement counts. Contains no business rules.

mod batches;
mod connection;
mod deadline;
mod failure;
mod locks;
mod options;
mod query_stats;
mod read_connections;
mod reader;
mod row;
mod shares;
mod sqlite_reads;
mod statement;
mod timeout;
mod transaction;
mod values_cte;

pub use self::{
    batches::BATCH_PAUSE,
    connection::Db,
    failure::{DatabaseFailure, cause, place, sqlite_file},
    locks::{MigrationLock, ServingLock},
    query_stats::QueryStats,
    reader::{PageSource, Reader, fetch_page},
    row::RowRef,
    statement::{
        bind, execute, fetch_all, fetch_one, fetch_tuples, number_placeholders,
        number_placeholders_after, placeholders, sql,
    },
    timeout::{
        note_timeout, spawn_with_stats, with_batch_timeout, with_lookup_timeout, with_timeout,
    },
    transaction::Tx,
    values_cte::ValuesCte,
};
