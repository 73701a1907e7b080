//! `heddle import`: imports archives of other systems into conversations.

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use crate::config::Config;

pub mod mail;
pub mod mbox;
mod progress;
mod run;
mod scan;
pub mod separator;
pub mod source;
pub mod threading;

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Import the archive of a mailing list: threads, authors and times; a repeated import adds only new messages
    Mbox {
        /// The mbox file, also compressed with gzip, or a single mail; `-` reads standard input
        file: PathBuf,
        /// Title of the group conversation for the archive
        #[arg(long, value_name = "TITLE")]
        conversation: String,
        /// Username of an owner of the group (repeatable). Without an owner, no one can manage it
        #[arg(long, value_name = "USERNAME")]
        owner: Vec<String>,
        /// Attribute mails, also those of earlier imports, to the accounts that have verified the address of the sender.
        /// Anyone can write any address into a mail: use this only for archives whose senders were checked
        #[arg(long)]
        match_verified: bool,
    },
}

pub(super) async fn run(config: &Config, command: ImportCommand) -> Result<(), CliError> {
    let ImportCommand::Mbox {
        file,
        conversation,
        owner,
        match_verified,
    } = command;
    run::run(config, &file, &conversation, &owner, match_verified).await
}
