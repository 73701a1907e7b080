//! One source of settings at a time, as a [`Provider`]: maps names to keys, reads the files of secrets and reports
//! unknown names.

use std::{collections::BTreeMap, fs, path::PathBuf};

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::{
    error::Problem,
    settings::{self, RENAMED, SETTINGS},
    values,
};

/// The prefix of environment variables. `HEDDLE_TEST_…` belongs to the test suite.
pub(super) const PREFIX: &str = "HEDDLE_";
const TEST_PREFIX: &str = "HEDDLE_TEST_";
/// Names another file than `heddle.toml`, like the flag `--config`.
pub(super) const FILE_VARIABLE: &str = "HEDDLE_CONFIG";

/// How a source spells the name of the setting with this key.
type Spelling = fn(&str) -> String;

/// The settings of one source.
#[derive(Debug, Default)]
pub(super) struct Layer {
    origin: String,
    values: Dict,
    /// The name of each key as it is spelled in the source.
    names: BTreeMap<String, String>,
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
    /// The command line: keys and values.
    pub(super) fn flags(flags: Vec<(&'static str, String)>, problems: &mut Vec<Problem>) -> Self {
        let mut layer = Self::named("flag");
        for (key, value) in flags {
            layer.insert(key, settings::flag(key), value, settings::flag, problems);
        }
        layer
    }

    /// Environment variables. An empty one counts as not set.
    pub(super) fn variables(
        origin: &str,
        variables: Vec<(String, String)>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut layer = Self::named(origin);
        for (name, value) in variables {
            if name.starts_with(TEST_PREFIX) || name == FILE_VARIABLE || value.is_empty() {
                continue;
            }
            if let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase) {
                layer.insert(&key, name, value, settings::variable, problems);
            }
        }
        layer
    }

    /// `heddle.toml`: one flat table.
    pub(super) fn file((path, text): (PathBuf, String), problems: &mut Vec<Problem>) -> Self {
        let mut layer = Self::named(&path.display().to_string());
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let before = error.span().map(|span| text.split_at(span.start).0);
                let line = before.map_or(1, |before| before.lines().count().max(1));
                let message = error.message().to_owned();
                problems.push(layer.problem(format!("line {line}"), message));
                return layer;
            }
        };
        for (key, value) in table {
            let value = Value::serialize(&value).ok();
            match value.as_ref().and_then(values::text) {
                Some(text) => layer.insert(&key, key.clone(), text, str::to_owned, problems),
                None if settings::find(&key).is_some() => {
                    let reason = "must be text, a whole number, true, false or a list of texts";
                    problems.push(layer.problem(key, reason.to_owned()));
                }
                None => {
                    problems.push(layer.problem(key.clone(), unknown(&key, &key, str::to_owned)))
                }
            }
        }
        layer
    }

    fn named(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            ..Self::default()
        }
    }

    fn problem(&self, name: String, message: String) -> Problem {
        Problem {
            name,
            origin: self.origin.clone(),
            message,
        }
    }

    /// Stores a value, or the content of the file that a secret's `_file` names.
    fn insert(
        &mut self,
        key: &str,
        name: String,
        value: String,
        spelling: Spelling,
        problems: &mut Vec<Problem>,
    ) {
        let secret =
            || settings::find(key.strip_suffix("_file")?).filter(|setting| setting.is_secret);
        let (setting, value) = if let Some(setting) = settings::find(key) {
            (setting, Ok(value))
        } else if let Some(setting) = secret() {
            let text = fs::read_to_string(&value).map_err(|error| format!("{value}: {error}"));
            (setting, text.map(|text| text.trim_end().to_owned()))
        } else {
            let message = unknown(&name, key, spelling);
            problems.push(self.problem(name, message));
            return;
        };
        match value {
            Err(message) => problems.push(self.problem(name, message)),
            Ok(value) => {
                self.values.insert(setting.key.to_owned(), value.into());
                if let Some(other) = self.names.insert(setting.key.to_owned(), name) {
                    let message = "is set twice, directly and through a file; remove one";
                    problems.push(self.problem(other, message.to_owned()));
                }
            }
        }
    }

    /// Removes and returns the value of a setting, as a problem of it needs.
    pub(super) fn remove(&mut self, key: &str) -> Option<(String, Value)> {
        self.names.remove(key).zip(self.values.remove(key))
    }
}

/// Describes an unknown name, with the name that was probably meant.
fn unknown(name: &str, key: &str, spelling: Spelling) -> String {
    // A less similar name would be a confusing suggestion.
    const MIN_SIMILARITY: f64 = 0.75;
    if let Some((_, current)) = RENAMED.iter().find(|(former, _)| *former == key) {
        return format!(
            "this setting is now called {}; rename it",
            spelling(current)
        );
    }
    let similarity =
        |known: &String| strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase());
    let suggestion = SETTINGS
        .iter()
        .map(|setting| spelling(setting.key))
        .map(|known| (similarity(&known), known))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| format!(" Did you mean {known}?"));
    format!(
        "there is no such setting.{}",
        suggestion.unwrap_or_default()
    )
}
