//! One source of settings at a time, as a [`Provider`]: maps names to keys, reads the files of secrets and reports
//! unknown names.

use std::{collections::BTreeMap, fs, path::PathBuf};

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::{
    error::SettingProblem,
    settings::{self, RENAMED, SETTINGS},
    values,
};

/// The prefix of environment variables. `HEDDLE_TEST_…` belongs to the test suite.
pub(super) const PREFIX: &str = "HEDDLE_";
const TEST_PREFIX: &str = "HEDDLE_TEST_";
/// Names another file than `heddle.toml`, like the flag `--config`.
pub(super) const FILE_VARIABLE: &str = "HEDDLE_CONFIG";

/// A name of this many characters may differ in one of them from the name that it probably means, one that is twice as
/// long in two. A less similar name would be a confusing suggestion.
const CHARACTERS_PER_EDIT: usize = 4;

/// The settings of one source.
pub(super) struct Layer {
    origin: String,
    /// Spells the name of a key as this source does.
    spell: fn(&str) -> String,
    values: Dict,
    /// The name of each key as it occurs in the source.
    names: BTreeMap<String, String>,
    pub(super) problems: Vec<SettingProblem>,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let names = self.names.clone();
        Metadata::named(self.origin.clone()).interpolater(move |_, path| {
            let key = path.concat();
            names.get(&key).cloned().unwrap_or(key)
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Layer {
    fn new(origin: String, spell: fn(&str) -> String) -> Self {
        Self {
            origin,
            spell,
            values: Dict::new(),
            names: BTreeMap::new(),
            problems: vec![],
        }
    }

    /// The command line: keys and values.
    pub(super) fn flags(flags: Vec<(&'static str, String)>) -> Self {
        let mut layer = Self::new("flag".to_owned(), settings::flag);
        for (key, value) in flags {
            layer.insert(key, settings::flag(key), value);
        }
        layer
    }

    /// Environment variables. An empty one counts as not set.
    pub(super) fn variables(origin: &str, variables: Vec<(String, String)>) -> Self {
        let mut layer = Self::new(origin.to_owned(), settings::variable);
        for (name, value) in variables {
            if name.starts_with(TEST_PREFIX) || name == FILE_VARIABLE || value.is_empty() {
                continue;
            }
            if let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase) {
                layer.insert(&key, name, value);
            }
        }
        layer
    }

    /// The path and text of `heddle.toml`: one flat table.
    pub(super) fn file(file: Option<(PathBuf, String)>) -> Self {
        let (path, text) = file.unwrap_or_default();
        let mut layer = Self::new(path.display().to_string(), str::to_owned);
        let table = text.parse::<toml::Table>().unwrap_or_else(|error| {
            let before = error.span().map(|span| text.split_at(span.start).0);
            let line = before.map_or(1, |before| before.lines().count().max(1));
            layer.problem(&format!("line {line}"), error.message());
            toml::Table::new()
        });
        for (key, value) in table {
            let value = serde_json::to_value(value).ok();
            let text = value.as_ref().and_then(values::text);
            match text {
                None if settings::find(&key).is_some() => {
                    let reason = "must be text, a whole number, true, false or a list";
                    layer.problem(&key, reason);
                }
                text => layer.insert(&key, key.clone(), text.unwrap_or_default()),
            }
        }
        layer
    }

    /// Stores a value, or the content of the file that a secret's `_file` names.
    fn insert(&mut self, key: &str, name: String, mut value: String) {
        let secret =
            || settings::find(key.strip_suffix("_file")?).filter(|secret| secret.is_secret);
        let setting = if let Some(setting) = settings::find(key) {
            setting
        } else if let Some(setting) = secret() {
            match fs::read_to_string(&value) {
                Ok(text) => text.trim_end().clone_into(&mut value),
                Err(error) => return self.problem(&name, &format!("{value}: {error}")),
            }
            setting
        } else {
            let message = self.unknown(key);
            return self.problem(&name, &message);
        };
        self.values.insert(setting.key.to_owned(), value.into());
        if let Some(other) = self.names.insert(setting.key.to_owned(), name) {
            self.problem(
                &other,
                "is set twice, directly and through a file; remove one",
            );
        }
    }

    /// Removes a value and returns it with its name.
    pub(super) fn remove(&mut self, key: &str) -> Option<(String, Value)> {
        self.names.remove(key).zip(self.values.remove(key))
    }

    /// Reports a problem with a name in this source.
    pub(super) fn problem(&mut self, name: &str, message: &str) {
        let problem = SettingProblem::new(name, &self.origin, message);
        self.problems.push(problem);
    }

    /// Describes an unknown name, with the name that was probably meant: one that differs in few letters. The part that
    /// all names share, such as `HEDDLE_`, does not make two of them similar.
    fn unknown(&self, key: &str) -> String {
        if let Some((_, current)) = RENAMED.iter().find(|(former, _)| *former == key) {
            let current = (self.spell)(current);
            return format!("this setting is now called {current}; rename it");
        }
        let suggestion = SETTINGS
            .iter()
            .map(|setting| (strsim::damerau_levenshtein(key, setting.key), setting.key))
            .filter(|(edits, known)| edits * CHARACTERS_PER_EDIT <= known.len())
            .min()
            .map(|(_, known)| format!(" Did you mean {}?", (self.spell)(known)));
        format!(
            "there is no such setting.{}",
            suggestion.unwrap_or_default()
        )
    }
}
