//! A simulation of the event stream: the real hub, dispatcher, cursors and replays run on a simulated database, network
//! and clock. One seed determines every step, so that a failure can be repeated.
//!
//! The simulated PostgreSQL has snapshots and transactions that take row numbers early, run long or roll back. The
//! simulated SQLite has one writer. Wake-ups are lost, duplicated, delayed and reordered; nodes are killed; statements
//! fail; lookups of audiences fail or never return; long streams lose their oldest events; clients fall behind,
//! disconnect and reconnect to other nodes. The [`oracle`] decides what each client must receive.

mod client;
mod database;
mod faults;
mod harness;
mod network;
mod oracle;
mod tests;
mod workload;
