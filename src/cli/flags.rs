//! Every setting as a flag. `--help` lists the common ones.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, FromArgMatches, value_parser};

use super::error::CliError;
use crate::config::{
    Config, Loaded, Sources,
    settings::{self, RENAMED, SETTINGS},
};

const FILE: &str = "config";
const HEADING: &str = "Settings";

/// The settings that the command line contains.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    values: Vec<(&'static str, String)>,
    file: Option<PathBuf>,
}

impl Flags {
    /// Resolves the settings from the flags and all other sources.
    pub fn load(self) -> Result<Loaded, CliError> {
        Ok(Sources::gather(self.values, self.file)?.resolve()?)
    }
}

/// The keys of all flags. Former names are included, so that they are rejected with the current name.
fn keys() -> impl Iterator<Item = &'static str> {
    let former = RENAMED.iter().map(|(former, _)| *former);
    SETTINGS.iter().map(|setting| setting.key).chain(former)
}

fn flag(key: &'static str) -> Arg {
    Arg::new(key)
        .long(key.replace('_', "-"))
        .value_name("VALUE")
        .help_heading(HEADING)
        .hide(true)
        .global(true)
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |key| Some((key, matches.get_one::<String>(key)?.clone()));
        Ok(Self {
            values: keys().filter_map(value).collect(),
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
        let file = flag(FILE)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Settings file [env: HEDDLE_CONFIG] [default: heddle.toml, if it exists]")
            .hide(false);
        let settings = SETTINGS.iter().map(|setting| {
            let default = match setting.redacted(&defaults) {
                none if none.is_empty() => String::new(),
                value => format!(" [default: {value}]"),
            };
            let help = format!(
                "{} [env: {}]{default}",
                setting.description(),
                settings::variable(setting.key)
            );
            flag(setting.key).help(help).hide(!setting.is_common)
        });
        let former = RENAMED.iter().map(|(former, _)| flag(former));
        command.arg(file).args(settings).args(former)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
