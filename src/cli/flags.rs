//! Every setting as a flag; `--help` lists the common ones.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, FromArgMatches, value_parser};

use super::error::CliError;
use crate::config::{Config, Loaded, Sources, settings::SETTINGS};

const FILE: &str = "config";
const HEADING: &str = "Settings";

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    values: Vec<(&'static str, String)>,
    file: Option<PathBuf>,
}

impl Flags {
    /// The settings, from here and everywhere else.
    pub fn load(self) -> Result<Loaded, CliError> {
        Ok(Sources::gather(self.values, self.file)?.resolve()?)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |key| {
            matches
                .get_one::<String>(key)
                .cloned()
                .map(|value| (key, value))
        };
        Ok(Self {
            values: SETTINGS
                .iter()
                .filter_map(|setting| value(setting.key))
                .collect(),
            file: matches.get_one::<PathBuf>(FILE).cloned(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let defaults = Config::default();
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("File of settings [env: HEDDLE_CONFIG] [default: heddle.toml, if there is one]")
            .help_heading(HEADING)
            .global(true);
        SETTINGS.iter().fold(command.arg(file), |command, setting| {
            let default = match setting.shown(&defaults) {
                none if none.is_empty() => String::new(),
                value => format!(" [default: {value}]"),
            };
            let help = format!("{} [env: {}]{default}", setting.about, setting.variable());
            command.arg(
                Arg::new(setting.key)
                    .long(setting.flag())
                    .value_name("VALUE")
                    .help(help)
                    .help_heading(HEADING)
                    .hide(!setting.is_common)
                    .global(true),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
