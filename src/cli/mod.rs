//! The command line: one file for each command. What commands do beyond talking is in the rooms below.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{config::Loaded, telemetry};

pub mod admin;
pub mod config;
pub mod data_dir;
pub mod doctor;
pub mod error;
pub mod flags;
pub mod healthcheck;
pub mod import;
pub mod migrate;
pub mod output;
pub mod schema;
pub mod seed;
pub mod serve;

use error::CliError;

/// Stack of each thread, in bytes. Documents may nest fifteen fields, and each is several frames, which are large in a
/// debug build; what is not used of it is no memory.
const STACK: usize = 4 * 1024 * 1024;

/// A threaded-messaging server with a GraphQL API.
#[derive(Debug, Parser)]
#[command(
    name = "heddle",
    version = version(),
    about,
    disable_help_subcommand = true,
    max_term_width = 110,
    after_help = "Settings also come from HEDDLE_… variables, .env (development) and heddle.toml; \
                  `heddle config print` shows them all.\n\
                  Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 database, 5 migration needed."
)]
pub struct Args {
    #[command(flatten)]
    flags: flags::Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server (what happens without a command)
    Serve,
    /// Bring the database's tables up to date, or take steps back
    Migrate(migrate::Args),
    /// Create accounts, list them, set new passwords
    Admin(admin::Args),
    /// Make up people and conversations, to try or to measure (development only)
    Seed(seed::Args),
    /// Bring in the archive of another system
    Import(import::Args),
    /// Print the GraphQL schema, or compare a file with it
    Schema(schema::Args),
    /// Print the settings and where each comes from
    Config(config::Args),
    /// Check the data folder, the database and, with --recount, every counter
    Doctor(doctor::Args),
    /// Ask a running server whether it is well
    Healthcheck,
}

/// The version, with the commit it was built from where the build knows it.
fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match option_env!("HEDDLE_COMMIT") {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    }
}

/// Runs the command that was asked for.
#[must_use]
pub fn start(args: Args) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::print_error(&failure);
            failure.exit.into()
        }
    }
}

fn run(Args { flags, command }: Args) -> Result<(), CliError> {
    let command = command.unwrap_or(Command::Serve);
    // These two help to write settings and must work with broken ones.
    let command = match command {
        Command::Schema(args) => return schema::run(&args),
        Command::Config(args) if !args.needs_settings() => {
            config::example();
            return Ok(());
        }
        other => other,
    };
    let loaded = flags.load()?;
    telemetry::start(&loaded.config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()?;
    let ended = runtime.block_on(Box::pin(dispatch(command, loaded)));
    // Work off the async threads, such as a name lookup that hangs, does not hold the process.
    runtime.shutdown_background();
    ended
}

async fn dispatch(command: Command, loaded: Loaded) -> Result<(), CliError> {
    let config = loaded.config.clone();
    match command {
        Command::Serve => serve::run(config).await,
        Command::Migrate(args) => migrate::run(&config, &args).await,
        Command::Admin(args) => admin::run(config, args).await,
        Command::Doctor(args) => doctor::run(&config, &args).await,
        Command::Seed(args) => seed::run(&config, &args).await,
        Command::Import(args) => import::run(&config, args).await,
        Command::Schema(args) => schema::run(&args),
        Command::Config(_) => {
            config::print(&loaded);
            Ok(())
        }
        Command::Healthcheck => healthcheck::run(&config).await,
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
