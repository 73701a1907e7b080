//! Background work: rows of the `job` table, inserted by the transaction that needs the work.
//!
//! A worker claims a row with a lease and renews the lease while it works. If a worker dies, its lease expires and another
//! worker repeats the job. Therefore a job must be idempotent.

mod job;
pub mod queue;

pub(crate) use job::row;
pub use job::{AccountMail, CleanupTable, Job, enqueue_in, enqueue_mail_in};
