//! The workers of this process: each claims jobs that are due and performs them, one after the other, until shutdown.

mod cleanup;
mod erasure;
mod perform;
mod run;

pub use run::start;
