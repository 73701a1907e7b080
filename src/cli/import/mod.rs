//! `heddle import`: archives of other systems, read into conversations.

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use crate::config::Config;

pub mod mbox;
pub mod message;
mod run;
pub mod threading;

/// What to import.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A mailing list's archive: its threads, people and times; again brings only what is new
    Mbox {
        /// The mbox file
        file: PathBuf,
        /// Title of the group that it becomes
        #[arg(long, value_name = "TITLE")]
        conversation: String,
        /// Username of somebody who owns the group and can read it (repeatable)
        #[arg(long, value_name = "USERNAME")]
        owner: Vec<String>,
    },
}

pub(super) async fn run(config: &Config, args: Args) -> Result<(), CliError> {
    let What::Mbox {
        file,
        conversation,
        owner,
    } = args.what;
    run::run(config, &file, conversation.trim(), &owner).await
}
