//! The command line: one file for each command. Commands parse arguments and print results; the rules are in `domain`.

pub mod admin;
mod args;
pub mod audit;
pub mod config;
pub mod data_dir;
pub mod doctor;
pub mod error;
pub mod flags;
pub mod healthcheck;
pub mod import;
mod links;
pub mod migrate;
pub mod output;
mod run;
pub mod schema;
pub mod seed;
pub mod serve;
mod token;

pub use self::{args::Args, run::start};
