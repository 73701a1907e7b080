//! `heddle schema`: the API as text.

use std::{fs, path::PathBuf};

use clap::Subcommand;

use super::{error::CliError, output};
use crate::graphql;

/// What to do with the schema.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the schema in GraphQL's schema language
    Print,
    /// Fail unless FILE holds the schema of this program
    Check {
        /// The file to compare
        #[arg(default_value = "schema.graphql")]
        file: PathBuf,
    },
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let schema = graphql::sdl();
    let What::Check { file } = &args.what else {
        output::text(&schema);
        return Ok(());
    };
    let path = file.display();
    let text =
        fs::read_to_string(file).map_err(|error| CliError::because(format!("{path}: {error}")))?;
    let mut lines = (text.lines(), schema.lines());
    let mut number = 1_usize;
    loop {
        match (lines.0.next(), lines.1.next()) {
            (None, None) => return Ok(()),
            (theirs, ours) if theirs == ours => number += 1,
            (theirs, ours) => {
                let [theirs, ours] = [theirs, ours].map(|line| line.unwrap_or("(end of file)"));
                return Err(CliError::because(format!(
                    "{path} is not this program's schema; line {number} differs:\n\
                     - {theirs}\n+ {ours}\n\
                     Write it anew: heddle schema print > {path}"
                )));
            }
        }
    }
}
