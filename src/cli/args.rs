//! The arguments of `heddle`, and the list of commands.

use clap::{Parser, Subcommand};

use super::{
    admin::AdminCommand, audit::AuditCommand, config::ConfigCommand, doctor, flags::Flags,
    import::ImportCommand, migrate::MigrateCommand, schema::SchemaCommand, seed,
    token::TokenCommand,
};

/// A threaded-messaging server with a GraphQL API.
#[derive(Debug, Parser)]
#[command(
    name = "heddle",
    version = version(),
    about,
    disable_help_subcommand = true,
    max_term_width = 110,
    after_help = "Settings are also read from HEDDLE_… variables, .env (in development) and heddle.toml; \
                  `heddle config print` shows them all.\n\
                  Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 database, 5 migration needed."
)]
pub struct Args {
    #[command(flatten)]
    pub(super) flags: Flags,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the server (the default command)
    Serve,
    /// Apply or revert database migrations
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Create accounts, list them, reset passwords, and repeat failed jobs
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Verify or export the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Explain whether an access token of another system is accepted
    #[command(subcommand)]
    Token(TokenCommand),
    /// Generate users and conversations for a demo or a benchmark (development only)
    Seed(seed::Args),
    /// Import an archive from another system
    #[command(subcommand)]
    Import(ImportCommand),
    /// Print the GraphQL schema, or compare a file with it
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Print the settings and their origins
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check the data folder, the database and, with --recount, all counters
    Doctor(doctor::Args),
    /// Check that a running server is healthy
    Healthcheck,
}

/// The version, with the commit it was built from if the build knows it.
pub(super) fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match option_env!("HEDDLE_COMMIT") {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_fits_on_a_screen() {
        let help = Args::command().render_help().to_string();
        assert!(help.lines().count() < 40, "{help}");
    }
}
