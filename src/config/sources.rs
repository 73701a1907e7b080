//! Reads the sources and resolves each setting: flag, environment, `.env` (in development only), `heddle.toml`, default.
//! The first of these wins. All problems are reported together.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use figment::{Figment, Profile};

use super::{
    error::{SettingProblem, SettingProblems},
    production_checks,
    settings::{Config, SETTINGS, Setting},
    source_layers::{FILE_VARIABLE, Layer, PREFIX},
    values::Mode,
};

const DEFAULT_FILE: &str = "heddle.toml";
const DOT_ENV: &str = ".env";

/// The unparsed content of all sources.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Keys and values from the command line.
    pub flags: Vec<(&'static str, String)>,
    /// Environment variables that begin with `HEDDLE_`.
    pub environment: Vec<(String, String)>,
    /// Variables from `.env`.
    pub dot_env: Vec<(String, String)>,
    /// The path and text of `heddle.toml`.
    pub file: Option<(PathBuf, String)>,
}

/// The settings and their origins.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The origin of each setting, in the order of the table: `flag`, `environment`, `.env`, `default` or the path of
    /// the file.
    pub origins: Vec<(&'static Setting, String)>,
}

impl Sources {
    /// Reads the environment and the files of the current folder. Fails when a file cannot be read.
    pub fn gather(
        flags: Vec<(&'static str, String)>,
        file: Option<PathBuf>,
    ) -> Result<Self, SettingProblems> {
        let environment = variables()?;
        let named = environment.iter().find(|(name, _)| name == FILE_VARIABLE);
        let file = file.or_else(|| named.map(|(_, path)| PathBuf::from(path)));
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| is_present(path));
        let file = match file.or_else(default) {
            Some(path) => match fs::read_to_string(&path) {
                Ok(text) => Some((path, text)),
                Err(error) => return Err(unreadable(&path, &error.to_string())),
            },
            None => None,
        };
        Ok(Self {
            flags,
            environment,
            dot_env: dot_env()?,
            file,
        })
    }

    /// Returns the settings, or all problems.
    pub fn resolve(self) -> Result<Loaded, SettingProblems> {
        let flags = Layer::flags(self.flags);
        let environment = Layer::variables("environment", self.environment);
        let file = Layer::file(self.file);
        let outer = Figment::from(&flags).join(&environment);
        let mode = outer.clone().join(&file).extract_inner::<String>("mode");
        let reads_dot_env = mode.is_err() || mode.is_ok_and(|mode| mode == "development");
        let dot_env = if reads_dot_env { self.dot_env } else { vec![] };
        let mut dot_env = Layer::variables(DOT_ENV, dot_env);
        if let Some((name, mode)) = dot_env.remove("mode")
            && mode.as_str() != Some("development")
        {
            dot_env.problem(&name, ".env is read in development only");
        }
        let figment = outer.join(&dot_env).join(&file);
        let layers = [flags, environment, file, dot_env].into_iter();
        let mut problems = layers.flat_map(|layer| layer.problems).collect();
        let config = apply(&figment, &mut problems);
        if !problems.is_empty() {
            return Err(SettingProblems(problems));
        }
        let origin = |setting: &'static Setting| (setting, locate(&figment, setting.key).1);
        let origins = SETTINGS.iter().map(origin).collect();
        Ok(Loaded { config, origins })
    }
}

/// Parses all values, and sets the defaults that depend on other settings. The mode is the first of the settings.
fn apply(figment: &Figment, problems: &mut Vec<SettingProblem>) -> Config {
    let mut config = Config::default();
    let mut report = |key, message: &str| {
        let (name, origin) = locate(figment, key);
        problems.push(SettingProblem::new(&name, &origin, message));
    };
    for setting in SETTINGS {
        let default = setting
            .production
            .filter(|_| config.mode == Mode::Production);
        let text = figment.extract_inner::<String>(setting.key).ok();
        if let Some(text) = text.or_else(|| default.map(str::to_owned))
            && let Err(reason) = (setting.read)(&mut config, &text)
        {
            let value = Some(format!("`{text}`")).filter(|_| !setting.is_secret);
            let value = value.as_deref().unwrap_or("its value");
            let message = format!("{value} {reason}, for example {}", setting.example);
            report(setting.key, &message);
        }
    }
    if !figment.contains("database_url") {
        config.database_url = format!("sqlite:{}", config.data_dir.join("heddle.sqlite").display());
    }
    for (key, message) in production_checks::refusals(&config) {
        report(key, message);
    }
    config
}

/// The name of a setting as its source spells it, and its origin.
fn locate(figment: &Figment, key: &str) -> (String, String) {
    match figment.find_metadata(key) {
        Some(source) => (
            source.interpolate(&Profile::Default, &[key]),
            source.name.clone().into_owned(),
        ),
        None => (key.to_owned(), "default".to_owned()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
fn variables() -> Result<Vec<(String, String)>, SettingProblems> {
    let (mut variables, mut problems) = (vec![], vec![]);
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with(PREFIX) {
            match value.into_string() {
                Ok(value) => variables.push((name, value)),
                Err(_value) => problems.push(not_unicode(&name)),
            }
        }
    }
    if problems.is_empty() {
        Ok(variables)
    } else {
        Err(SettingProblems(problems))
    }
}

/// Whether there is a file, even if it cannot be read: it must not be ignored.
fn is_present(path: &Path) -> bool {
    let metadata = fs::symlink_metadata(path);
    !metadata.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn dot_env() -> Result<Vec<(String, String)>, SettingProblems> {
    let path = Path::new(DOT_ENV);
    if !is_present(path) {
        return Ok(vec![]);
    }
    dotenvy::from_path_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(path, &error.to_string()))
}

fn not_unicode(name: &str) -> SettingProblem {
    SettingProblem::new(name, "environment", "its value is not valid UTF-8")
}

fn unreadable(path: &Path, message: &str) -> SettingProblems {
    let origin = path.display().to_string();
    SettingProblems(vec![SettingProblem::new("file", &origin, message)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SignUpPolicy;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn toml(text: &str) -> (PathBuf, String) {
        (PathBuf::from("heddle.toml"), text.to_owned())
    }

    fn refused(sources: Sources) -> String {
        sources.resolve().expect_err("refused").to_string()
    }

    #[test]
    fn without_anything_written_the_defaults_hold() {
        let loaded = Sources::default().resolve().expect("defaults");
        assert_eq!(loaded.config, Config::default());
        assert!(loaded.origins.iter().all(|(_, origin)| origin == "default"));
    }

    #[test]
    fn the_nearest_source_wins() {
        let names = [
            "server_name",
            "thread_depth",
            "message_length",
            "log_level",
            "listen",
        ];
        let sources = Sources {
            flags: vec![("server_name", "flag".to_owned())],
            environment: pairs(&[
                ("HEDDLE_SERVER_NAME", "env"),
                ("HEDDLE_THREAD_DEPTH", "4"),
                ("HEDDLE_LISTEN", ""),
            ]),
            dot_env: pairs(&[
                ("HEDDLE_THREAD_DEPTH", "5"),
                ("HEDDLE_MESSAGE_LENGTH", "6"),
                ("OTHER", "x"),
            ]),
            file: Some(toml(
                "message_length = 7\nlog_level = 'warn'\nallowed_origins = ['https://a.example']",
            )),
        };
        let loaded = sources.resolve().expect("good settings");
        let config = &loaded.config;
        assert_eq!(
            (
                config.server_name.as_str(),
                config.thread_depth,
                config.message_length
            ),
            ("flag", 4, 6)
        );
        assert_eq!(
            (config.log_level.as_str(), config.listen),
            ("warn", Config::default().listen)
        );
        let origins: Vec<String> = names
            .iter()
            .filter_map(|name| {
                loaded
                    .origins
                    .iter()
                    .find(|(setting, _)| setting.key == *name)
            })
            .map(|(_, origin)| origin.clone())
            .collect();
        assert_eq!(
            origins,
            ["flag", "environment", ".env", "heddle.toml", "default"]
        );
    }

    #[test]
    fn unknown_names_are_refused_with_a_suggestion() {
        let message = refused(Sources {
            environment: pairs(&[
                ("HEDDLE_DATABSE_URL", "x"),
                ("HEDDLE_DATABASE_NAME", "x"),
                ("HEDDLE_PORT", "x"),
                ("HEDDLE_TEST_POSTGRES", "x"),
            ]),
            file: Some(toml(
                "lisen = '1'\nloglevel = '1'\nvapid_key = '1'\n[section]\n",
            )),
            ..Sources::default()
        });
        insta::assert_snapshot!(message, @r"
        The configuration cannot be used:
          HEDDLE_DATABSE_URL (environment): there is no such setting. Did you mean HEDDLE_DATABASE_URL?
          HEDDLE_DATABASE_NAME (environment): there is no such setting.
          HEDDLE_PORT (environment): there is no such setting.
          lisen (heddle.toml): there is no such setting. Did you mean listen?
          loglevel (heddle.toml): there is no such setting. Did you mean log_level?
          section (heddle.toml): there is no such setting.
          vapid_key (heddle.toml): there is no such setting.
        ");
    }

    #[test]
    fn bad_values_name_key_origin_and_example() {
        let message = refused(Sources {
            flags: vec![("listen", "here".to_owned())],
            environment: pairs(&[("HEDDLE_DATABASE_URL", "mysql://ann:hunter2@db/x")]),
            file: Some(toml("thread_depth = 501\nmode = 1.5")),
            ..Sources::default()
        });
        insta::assert_snapshot!(message, @r"
        The configuration cannot be used:
          mode (heddle.toml): must be text, a whole number, true, false or a list
          HEDDLE_DATABASE_URL (environment): its value must begin with sqlite: or postgres://, for example postgres://heddle:secret@localhost/heddle
          --listen (flag): `here` must be an address and a port, for example 0.0.0.0:8000
          thread_depth (heddle.toml): `501` must be a whole number from 1 to 500, for example 8
        ");
        assert!(
            refused(Sources {
                file: Some(toml("a = 1\nb = = 2")),
                ..Sources::default()
            })
            .contains("line 2")
        );
    }

    #[test]
    fn production_refuses_what_is_unsafe_and_reads_no_dot_env() {
        let message = refused(Sources {
            environment: pairs(&[
                ("HEDDLE_MODE", "production"),
                ("HEDDLE_SIGN_UP_POLICY", "open"),
                ("HEDDLE_PUBLIC_URL", "http://chat.example.com"),
            ]),
            dot_env: pairs(&[("HEDDLE_NONSENSE", "x")]),
            ..Sources::default()
        });
        assert_eq!(message.lines().count(), 3, "{message}");
        for part in ["needs https", "refuses open"] {
            assert!(message.contains(part), "{message}");
        }
        let good = Sources {
            environment: pairs(&[
                ("HEDDLE_MODE", "production"),
                ("HEDDLE_PUBLIC_URL", "https://chat.example.com"),
                ("HEDDLE_TRUSTED_PROXIES", "127.0.0.1"),
            ]),
            ..Sources::default()
        };
        let config = good.resolve().expect("safe settings").config;
        assert!(!config.public_introspection);
        assert!(!config.server_timing);
        assert_eq!(config.sign_up_policy, SignUpPolicy::InviteOnly);
    }

    #[test]
    fn production_behind_https_needs_its_proxy() {
        let production = |url: &str| Sources {
            environment: pairs(&[("HEDDLE_MODE", "production"), ("HEDDLE_PUBLIC_URL", url)]),
            ..Sources::default()
        };
        let message = refused(production("https://chat.example.com"));
        let reason = "trusted_proxies (default): production with https needs the address";
        assert!(message.contains(reason), "{message}");
        // Nothing decrypts it.
        assert!(production("http://localhost:8000").resolve().is_ok());
    }

    #[test]
    fn production_sends_no_mail_without_encryption() {
        let production = |smtp: &str| Sources {
            environment: pairs(&[
                ("HEDDLE_MODE", "production"),
                ("HEDDLE_PUBLIC_URL", "http://localhost:8000"),
                ("HEDDLE_SMTP_URL", smtp),
                ("HEDDLE_SMTP_FROM", "chat@example.com"),
            ]),
            ..Sources::default()
        };
        for url in [
            "smtp://mail.example.com?tls=none",
            "smtp://mail.example.com?tls=none#x",
        ] {
            let message = refused(production(url));
            assert!(
                message.contains("needs an encrypted connection"),
                "{message}"
            );
        }
        for url in [
            "smtp://mail.example.com?tls=nine",
            "smtps://mail.example.com?tls=none",
        ] {
            assert!(
                refused(production(url)).contains("has no options other than"),
                "{url}"
            );
        }
        for url in [
            "smtp://127.0.0.1?tls=none",
            "smtp://mail.example.com",
            "smtps://mail.example.com",
        ] {
            assert!(production(url).resolve().is_ok(), "{url}");
        }
    }

    #[test]
    fn the_example_of_the_secret_is_refused_in_every_mode() {
        for setting in SETTINGS
            .iter()
            .filter(|setting| setting.key == "secret_key")
        {
            let message = refused(Sources {
                environment: pairs(&[("HEDDLE_SECRET_KEY", setting.example)]),
                ..Sources::default()
            });
            assert!(message.contains("is the example of the documentation"));
            assert!(!message.contains(setting.example), "{message}");
        }
    }

    #[test]
    fn the_database_lives_in_the_data_folder() {
        let sources = Sources {
            flags: vec![("data_dir", "/srv/x".to_owned())],
            ..Sources::default()
        };
        let config = sources.resolve().expect("good settings").config;
        assert_eq!(config.database_url, "sqlite:/srv/x/heddle.sqlite");
    }

    #[test]
    fn secrets_can_come_from_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("url");
        fs::write(&path, "postgres://db/heddle\n").expect("a file");
        let path = path.display().to_string();
        let from_file = |more: &[(&str, &str)]| Sources {
            environment: [pairs(&[("HEDDLE_DATABASE_URL_FILE", &path)]), pairs(more)].concat(),
            file: Some(toml("database_url = 'sqlite:x'")),
            ..Sources::default()
        };
        let loaded = from_file(&[]).resolve().expect("good settings");
        assert_eq!(loaded.config.database_url, "postgres://db/heddle");
        assert!(refused(from_file(&[("HEDDLE_DATABASE_URL", "sqlite:y")])).contains("twice"));
        let missing = pairs(&[("HEDDLE_DATABASE_URL_FILE", "/nowhere")]);
        assert!(
            refused(Sources {
                environment: missing,
                ..Sources::default()
            })
            .contains("/nowhere")
        );
        let open = pairs(&[("HEDDLE_LISTEN_FILE", &path)]);
        assert!(
            refused(Sources {
                environment: open,
                ..Sources::default()
            })
            .contains("no such setting")
        );
    }
}
