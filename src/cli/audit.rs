//! `heddle audit`: verifies and exports the audit log. Works while the server runs.

use std::str::FromStr;

use clap::Subcommand;

use super::{error::CliError, migrate, output};
use crate::{
    config::Config,
    db::Db,
    domain::audit::{self, AuditHead, AuditReport},
    error::Error,
};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Verify the hashes of all entries, and print the head of the log
    Verify {
        /// A head that was printed before, which the log must contain
        #[arg(long, value_name = "SEQUENCE:HASH")]
        expect: Option<ExpectedHead>,
    },
    /// Print the log as JSON Lines, oldest entry first
    Export {
        /// Only entries after the one with this number
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: i64,
    },
}

/// A head as an argument.
#[derive(Clone, Debug)]
pub(super) struct ExpectedHead(AuditHead);

impl FromStr for ExpectedHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |(sequence, hash): (&str, &str)| {
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let sequence = sequence.parse().ok().filter(|_| is_hash)?;
            let hash = hash.to_ascii_lowercase();
            Some(Self(AuditHead { sequence, hash }))
        };
        let head = text.split_once(':').and_then(parse);
        head.ok_or_else(|| {
            "use the form that `heddle audit verify` prints, such as 12:9f86…".to_owned()
        })
    }
}

pub(super) async fn run(config: &Config, command: AuditCommand) -> Result<(), CliError> {
    let db = migrate::ready(config).await?;
    let outcome = execute(&db, command).await;
    db.close().await?;
    outcome
}

async fn execute(db: &Db, command: AuditCommand) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify { expect } => {
            let expected = expect.map(|expected| expected.0);
            print(&audit::verify(db, expected.as_ref()).await?)
        }
        AuditCommand::Export { mut after } => loop {
            let page = audit::page(db, after).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.sequence;
            for line in &page {
                output::line(serde_json::to_string(line).map_err(Error::internal)?);
            }
        },
    }
}

fn print(report: &AuditReport) -> Result<(), CliError> {
    if let Some(sequence) = report.broken_at {
        return Err(CliError::because(format!(
            "entry {sequence} of the audit log is missing or was changed; {} entries before it are valid",
            report.entries
        )));
    }
    if report.has_expected == Some(false) {
        let reason =
            "the audit log does not contain the expected entry: it was replaced or cut off";
        return Err(CliError::because(reason));
    }
    output::line(format!(
        "{} entries are valid, of which {} have erased details",
        report.entries, report.erased
    ));
    output::line(format!(
        "head {}:{}",
        report.head.sequence, report.head.hash
    ));
    Ok(())
}
