//! `heddle schema`: prints the GraphQL schema or compares a file with it.

use std::{fs, path::PathBuf};

use clap::Subcommand;

use super::{error::CliError, output};
use crate::graphql;

#[derive(Debug, Subcommand)]
pub(super) enum SchemaCommand {
    /// Print the schema in the GraphQL schema language
    Print,
    /// Fail unless FILE contains the schema of this version
    Check {
        /// The file to compare
        #[arg(default_value = "schema.graphql")]
        file: PathBuf,
    },
}

pub(super) fn run(command: &SchemaCommand) -> Result<(), CliError> {
    let schema = graphql::sdl();
    let SchemaCommand::Check { file } = command else {
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
            (found, expected) if found == expected => number += 1,
            (found, expected) => {
                let [found, expected] =
                    [found, expected].map(|line| line.unwrap_or("(end of file)"));
                return Err(CliError::because(format!(
                    "{path} is not the schema of this version; line {number} differs:\n\
                     - {found}\n+ {expected}\n\
                     Regenerate it: heddle schema print > {path}"
                )));
            }
        }
    }
}
