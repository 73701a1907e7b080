//! The invariants, held against naive models over random histories.

mod histories;
mod reads;
