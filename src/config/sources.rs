//! Where settings come from: flag, environment, `.env` (development only), `heddle.toml`, default,
//! the first of these winning. What is not a setting is an error, as is every bad value.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    Config, Mode, SignUpPolicy,
    error::{Problem, Problems},
    production_checks,
    settings::{SETTINGS, Setting},
    source_layers::{self, FILE_VARIABLE, Layer, PREFIX, Written},
};

const DEFAULT_FILE: &str = "heddle.toml";
const DOT_ENV: &str = ".env";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The file `.env`.
    DotEnv,
    /// `heddle.toml`, or the file named instead.
    File(PathBuf),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => write!(f, "flag"),
            Self::Environment => write!(f, "environment"),
            Self::DotEnv => write!(f, "{DOT_ENV}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}

/// Everything that was written down somewhere.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Keys and values from the command line.
    pub flags: Vec<(&'static str, String)>,
    /// Variables that begin with `HEDDLE_`.
    pub environment: Vec<(String, String)>,
    /// Those from `.env`.
    pub dot_env: Vec<(String, String)>,
    /// The path and text of `heddle.toml`.
    pub file: Option<(PathBuf, String)>,
}

/// The settings, and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// For each line of the table, its origin.
    pub origins: Vec<(&'static Setting, Origin)>,
}

impl Sources {
    /// Reads the environment and the files of the current folder.
    pub fn gather(
        flags: Vec<(&'static str, String)>,
        file: Option<PathBuf>,
    ) -> Result<Self, Problems> {
        let environment = variables();
        let named = environment.iter().find(|(name, _)| name == FILE_VARIABLE);
        let file = file.or_else(|| named.map(|(_, path)| PathBuf::from(path)));
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        let file = file
            .or_else(default)
            .map(|path| Ok((read(&path)?, path)))
            .transpose()?;
        let file = file.map(|(text, path)| (path, text));
        let dot_env = if Path::new(DOT_ENV).exists() {
            dot_env()?
        } else {
            vec![]
        };
        Ok(Self {
            flags,
            environment,
            dot_env,
            file,
        })
    }

    /// The settings that follow, or everything that is wrong.
    pub fn resolve(self) -> Result<Loaded, Problems> {
        let mut problems = Vec::new();
        let flags = self.flags.into_iter().map(|(key, value)| {
            let name = format!("--{}", key.replace('_', "-"));
            (
                key,
                Written {
                    name,
                    origin: Origin::Flag,
                    value,
                },
            )
        });
        let flags: Layer = flags.collect();
        let environment =
            source_layers::variables(self.environment, &Origin::Environment, &mut problems);
        let file = self
            .file
            .map(|file| source_layers::file(file, &mut problems))
            .unwrap_or_default();
        let mode = [&flags, &environment, &file]
            .into_iter()
            .find_map(|layer| layer.get("mode"))
            .map(|mode| mode.value.clone());
        let mut layers = vec![file];
        if mode.is_none_or(|mode| mode == "development") {
            let mut dot_env =
                source_layers::variables(self.dot_env, &Origin::DotEnv, &mut problems);
            if let Some(mode) = dot_env
                .remove("mode")
                .filter(|mode| mode.value != "development")
            {
                problems.push(mode.problem(".env is read in development only".to_owned()));
            }
            layers.push(dot_env);
        }
        layers.extend([environment, flags]);
        let written: Layer = layers.into_iter().flatten().collect();
        let config = apply(&written, &mut problems);
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let origin = |setting: &Setting| {
            written
                .get(setting.key)
                .map_or(Origin::Default, |written| written.origin.clone())
        };
        let origins = SETTINGS
            .iter()
            .map(|setting| (setting, origin(setting)))
            .collect();
        Ok(Loaded { config, origins })
    }
}

/// Puts what was written in its place, and what follows from it where nothing was.
fn apply(written: &Layer, problems: &mut Vec<Problem>) -> Config {
    let mut config = Config::default();
    for setting in SETTINGS {
        if let Some(written) = written.get(setting.key)
            && let Err(reason) = (setting.read)(&mut config, &written.value)
        {
            let value = if setting.is_secret {
                "its value".into()
            } else {
                format!("`{}`", written.value)
            };
            let message = format!("{value} {reason}, for example {}", setting.example);
            problems.push(written.problem(message));
        }
    }
    if config.mode == Mode::Production {
        if !written.contains_key("public_introspection") {
            config.public_introspection = false;
        }
        if !written.contains_key("sign_up_policy") {
            config.sign_up_policy = SignUpPolicy::InviteOnly;
        }
    }
    if !written.contains_key("database_url") {
        config.database_url = format!("sqlite:{}", config.data_dir.join("heddle.sqlite").display());
    }
    for (key, message) in production_checks::refusals(&config) {
        let nowhere = || Written {
            name: key.to_owned(),
            origin: Origin::Default,
            value: String::new(),
        };
        problems.push(
            written
                .get(key)
                .cloned()
                .unwrap_or_else(nowhere)
                .problem(message),
        );
    }
    config
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect()
}

fn read(path: &Path) -> Result<String, Problems> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn dot_env() -> Result<Vec<(String, String)>, Problems> {
    let path = Path::new(DOT_ENV);
    let broken = |error: dotenvy::Error| unreadable(path, &io::Error::other(error));
    dotenvy::from_path_iter(path)
        .map_err(broken)?
        .collect::<Result<_, _>>()
        .map_err(broken)
}

fn unreadable(path: &Path, error: &io::Error) -> Problems {
    let origin = Origin::File(path.to_owned());
    Problems(vec![Problem {
        name: "file".to_owned(),
        origin,
        message: error.to_string(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(
            loaded
                .origins
                .iter()
                .all(|(_, origin)| *origin == Origin::Default)
        );
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
            .map(|(_, origin)| origin.to_string())
            .collect();
        assert_eq!(
            origins,
            ["flag", "environment", ".env", "heddle.toml", "default"]
        );
    }

    #[test]
    fn unknown_names_are_refused_with_a_suggestion() {
        let told = refused(Sources {
            environment: pairs(&[("HEDDLE_DATABSE_URL", "x"), ("HEDDLE_TEST_POSTGRES", "x")]),
            file: Some(toml("lisen = '1'\n[section]\n")),
            ..Sources::default()
        });
        insta::assert_snapshot!(told, @r"
        The configuration cannot be used:
          HEDDLE_DATABSE_URL (environment): there is no such setting. Did you mean HEDDLE_DATABASE_URL?
          lisen (heddle.toml): there is no such setting. Did you mean listen?
          section (heddle.toml): there is no such setting.
        ");
    }

    #[test]
    fn bad_values_name_key_origin_and_example() {
        let told = refused(Sources {
            flags: vec![("listen", "here".to_owned())],
            environment: pairs(&[("HEDDLE_DATABASE_URL", "mysql://ann:hunter2@db/x")]),
            file: Some(toml("thread_depth = 51\nmode = 1.5")),
            ..Sources::default()
        });
        insta::assert_snapshot!(told, @r"
        The configuration cannot be used:
          mode (heddle.toml): must be text, a whole number, true, false or a list of texts
          HEDDLE_DATABASE_URL (environment): its value must begin with sqlite: or postgres://, for example postgres://heddle:secret@localhost/heddle
          --listen (flag): `here` must be an address and a port, for example 0.0.0.0:8000
          thread_depth (heddle.toml): `51` must be a whole number from 1 to 50, for example 8
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
        let told = refused(Sources {
            environment: pairs(&[
                ("HEDDLE_MODE", "production"),
                ("HEDDLE_SIGN_UP_POLICY", "open"),
                ("HEDDLE_PUBLIC_URL", "http://chat.example.com"),
            ]),
            dot_env: pairs(&[("HEDDLE_NONSENSE", "x")]),
            ..Sources::default()
        });
        assert_eq!(told.lines().count(), 3, "{told}");
        for part in ["needs https", "refuses open"] {
            assert!(told.contains(part), "{told}");
        }
        let good = Sources {
            environment: pairs(&[
                ("HEDDLE_MODE", "production"),
                ("HEDDLE_PUBLIC_URL", "https://chat.example.com"),
            ]),
            ..Sources::default()
        };
        let config = good.resolve().expect("safe settings").config;
        assert!(!config.public_introspection);
        assert_eq!(config.sign_up_policy, SignUpPolicy::InviteOnly);
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
