//! Compares the invariants with naive models over random histories.

mod histories;
mod notifications;
mod reads;
