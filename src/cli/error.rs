//! The error of a command: a message and an exit code.

use std::{fmt, io, process::ExitCode};

use crate::{
    config::SettingProblems,
    db,
    error::{Code, Error},
};

/// The exit code of a failed command. The argument parser exits with 2 on wrong usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command failed.
    Failure = 1,
    /// The settings are invalid.
    Configuration = 3,
    /// The database cannot be reached or used.
    Database = 4,
    /// Database migrations are pending.
    MigrationNeeded = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Failure => 1,
            Exit::Configuration => 3,
            Exit::Database => 4,
            Exit::MigrationNeeded => 5,
        })
    }
}

/// The error of a command.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    message: String,
}

impl CliError {
    /// Creates an error with an exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// Names the database, if it is the reason and the message does not name it.
    #[must_use]
    pub fn about(mut self, database_url: &str) -> Self {
        let place = db::place(database_url);
        if self.exit == Exit::Database && !self.message.contains(&place) {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }

    /// Creates an error with exit code 1.
    pub fn because(message: impl Into<String>) -> Self {
        Self::new(Exit::Failure, message)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let is_database = error
            .cause()
            .is_some_and(|cause| cause.is::<sea_orm::DbErr>() || cause.is::<db::DatabaseFailure>());
        let exit = if is_database || error.code() == Code::Unavailable {
            Exit::Database
        } else {
            Exit::Failure
        };
        // The message for clients hides the cause, which the operator needs.
        let message = match error.cause() {
            Some(cause) if error.code() == Code::Internal => {
                let database = cause.downcast_ref().and_then(db::cause);
                database.map_or_else(|| cause.to_string(), ToOwned::to_owned)
            }
            Some(cause) => format!("{} ({cause})", error.message()),
            None => match error.field_problems() {
                [] | [_] => error.message().to_owned(),
                many => {
                    let all: Vec<&str> = many.iter().map(|one| one.message.as_str()).collect();
                    all.join(" ")
                }
            },
        };
        Self { exit, message }
    }
}

impl From<sea_orm::DbErr> for CliError {
    fn from(error: sea_orm::DbErr) -> Self {
        let message = db::cause(&error).map_or_else(|| error.to_string(), ToOwned::to_owned);
        Self::new(Exit::Database, message)
    }
}

impl From<SettingProblems> for CliError {
    fn from(problems: SettingProblems) -> Self {
        Self::new(Exit::Configuration, problems.to_string())
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::because(error.to_string())
    }
}
