//! The error of a command: a message and an exit code.

use std::{fmt, io, process::ExitCode};

use crate::{
    config::SettingProblems,
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
        let database = matches!(error.cause(), Some(cause) if cause.is::<sea_orm::DbErr>());
        let exit = if database || error.code() == Code::Unavailable {
            Exit::Database
        } else {
            Exit::Failure
        };
        // The message for clients hides the cause, which the operator needs.
        let message = match error.cause() {
            Some(cause) if error.code() == Code::Internal => cause.to_string(),
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
        Self::new(Exit::Database, error.to_string())
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
