//! Background work: rows of the `job` table, written in the transaction that asks for the work.
