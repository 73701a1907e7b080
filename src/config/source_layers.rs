//! One source of settings at a time: names become keys, and what is no setting a problem.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{
    error::{Problem, suggestion},
    settings::{self, SETTINGS, Setting},
    sources::Origin,
};

/// Variables start so; those of the test suite (`HEDDLE_TEST_…`) are not settings.
pub(super) const PREFIX: &str = "HEDDLE_";
const TEST_PREFIX: &str = "HEDDLE_TEST_";
/// Names another file than `heddle.toml`, like the flag `--config`.
pub(super) const FILE_VARIABLE: &str = "HEDDLE_CONFIG";

/// A value as it was written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) value: String,
}

impl Written {
    /// Something is wrong with it.
    pub(super) fn problem(&self, message: String) -> Problem {
        Problem {
            name: self.name.clone(),
            origin: self.origin.clone(),
            message,
        }
    }
}

/// What one source says.
pub(super) type Layer = BTreeMap<&'static str, Written>;

/// Variables as settings. Those that are empty count as not set.
pub(super) fn variables(
    variables: Vec<(String, String)>,
    origin: &Origin,
    problems: &mut Vec<Problem>,
) -> Layer {
    let mut layer = Layer::new();
    for (name, value) in variables {
        let is_ours = name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX);
        if !is_ours || name == FILE_VARIABLE || value.is_empty() {
            continue;
        }
        let key = name.strip_prefix(PREFIX).unwrap_or_default().to_lowercase();
        let known = || SETTINGS.iter().map(Setting::variable);
        let written = Written {
            name,
            origin: origin.clone(),
            value,
        };
        insert(&mut layer, &key, written, known, problems);
    }
    layer
}

/// `heddle.toml`: one flat table.
pub(super) fn file((path, text): (PathBuf, String), problems: &mut Vec<Problem>) -> Layer {
    let origin = Origin::File(path);
    let mut layer = Layer::new();
    let table = match text.parse::<toml::Table>() {
        Ok(table) => table,
        Err(error) => {
            let place = error
                .span()
                .map_or(0, |span| text.split_at(span.start).0.lines().count());
            let name = format!("line {}", place.max(1));
            problems.push(Problem {
                name,
                origin,
                message: error.message().to_owned(),
            });
            return layer;
        }
    };
    for (name, value) in table {
        let written = Written {
            name: name.clone(),
            origin: origin.clone(),
            value: String::new(),
        };
        let known = || SETTINGS.iter().map(|setting| setting.key.to_owned());
        match toml_text(&value) {
            Some(value) => insert(
                &mut layer,
                &name,
                Written { value, ..written },
                known,
                problems,
            ),
            None if settings::find(&name).is_some() => {
                let reason = "must be text, a whole number, true, false or a list of texts";
                problems.push(written.problem(reason.to_owned()));
            }
            None => problems.push(written.problem(unknown(&name, known()))),
        }
    }
    layer
}

fn toml_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

/// Takes a value, or the content of the file that a secret's `_file` names.
fn insert<K: Iterator<Item = String>>(
    layer: &mut Layer,
    key: &str,
    mut written: Written,
    known: impl Fn() -> K,
    problems: &mut Vec<Problem>,
) {
    let secret = key
        .strip_suffix("_file")
        .and_then(settings::find)
        .filter(|setting| setting.is_secret);
    let setting = match (settings::find(key), secret) {
        (Some(setting), _) => setting,
        (None, Some(setting)) => {
            match fs::read_to_string(&written.value) {
                Ok(text) => text.trim_end().clone_into(&mut written.value),
                Err(error) => {
                    problems.push(written.problem(format!("{}: {error}", written.value)));
                    return;
                }
            }
            setting
        }
        (None, None) => {
            problems.push(written.problem(unknown(&written.name, known())));
            return;
        }
    };
    if let Some(other) = layer.insert(setting.key, written) {
        let both = "is given twice, as itself and as a file; remove one".to_owned();
        problems.push(other.problem(both));
    }
}

fn unknown(name: &str, known: impl Iterator<Item = String>) -> String {
    format!("there is no such setting.{}", suggestion(name, known))
}
