//! Runs a command: loads the settings, starts logging and the runtime, and turns an error into an exit code.

use std::process::ExitCode;

use super::{
    admin,
    args::{Args, Command},
    audit,
    config::{self, ConfigCommand},
    doctor,
    error::CliError,
    healthcheck, import, migrate, output, schema, seed, serve, token,
};
use crate::{config::Loaded, telemetry};

/// The stack size of each thread, in bytes. Documents may nest fifteen fields, and each takes several frames, which are
/// large in a debug build. Unused stack takes no memory.
const STACK: usize = 4 * 1024 * 1024;

/// Runs a command and returns its exit code.
#[must_use]
pub fn start(args: Args) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error);
            error.exit.into()
        }
    }
}

fn run(Args { flags, command }: Args) -> Result<(), CliError> {
    let command = command.unwrap_or(Command::Serve);
    // These commands help to correct settings, so they must work with invalid ones.
    match command {
        Command::Schema(command) => return schema::run(&command),
        Command::Config(ConfigCommand::Example) => {
            config::example();
            return Ok(());
        }
        _ => {}
    }
    let loaded = flags.load()?;
    telemetry::start(&loaded.config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()?;
    let database_url = loaded.config.database_url.clone();
    let result = runtime.block_on(Box::pin(dispatch(command, loaded)));
    let result = result.map_err(|error| error.about(&database_url));
    // Blocking work that does not end, such as a name lookup, must not keep the process alive.
    runtime.shutdown_background();
    result
}

async fn dispatch(command: Command, loaded: Loaded) -> Result<(), CliError> {
    let config = loaded.config.clone();
    match command {
        Command::Serve => serve::run(config).await,
        Command::Migrate(command) => migrate::run(&config, command).await,
        Command::Admin(command) => admin::run(config, command).await,
        Command::Audit(command) => audit::run(&config, command).await,
        Command::Token(command) => token::run(&config, &command).await,
        Command::Doctor(args) => doctor::run(&config, &args).await,
        Command::Seed(args) => seed::run(&config, &args).await,
        Command::Import(command) => import::run(&config, command).await,
        Command::Schema(command) => schema::run(&command),
        Command::Config(_) => {
            config::print(&loaded);
            Ok(())
        }
        Command::Healthcheck => healthcheck::run(&config).await,
    }
}
