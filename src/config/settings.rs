//! The table of settings: one line each. What a value must look like is in `parse`.

use super::{Config, parse};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in `heddle.toml`; `HEDDLE_` and capitals make the variable, dashes the flag.
    pub key: &'static str,
    /// What it decides, for `--help` and `.env.example`.
    pub about: &'static str,
    /// A value that is not the default.
    pub example: &'static str,
    /// Whether its value is hidden, and can be read from a file.
    pub is_secret: bool,
    /// Whether `--help` lists its flag.
    pub is_common: bool,
    /// Puts a value from outside in its place, or says what a value must be.
    pub read: fn(&mut Config, &str) -> Result<(), String>,
    /// The value in words that `read` understands; empty for none.
    pub show: fn(&Config) -> String,
}

impl Setting {
    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("HEDDLE_{}", self.key.to_uppercase())
    }

    /// The flag, without its dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The value for other people's eyes.
    #[must_use]
    pub fn shown(&self, config: &Config) -> String {
        let value = (self.show)(config);
        if self.is_secret {
            parse::without_password(&value)
        } else {
            value
        }
    }
}

const fn setting(
    key: &'static str,
    about: &'static str,
    example: &'static str,
    read: fn(&mut Config, &str) -> Result<(), String>,
    show: fn(&Config) -> String,
) -> Setting {
    Setting {
        key,
        about,
        example,
        is_secret: false,
        is_common: false,
        read,
        show,
    }
}

const fn common(setting: Setting) -> Setting {
    Setting {
        is_common: true,
        ..setting
    }
}

const fn secret(setting: Setting) -> Setting {
    Setting {
        is_secret: true,
        ..setting
    }
}

/// Puts a parsed value in its place.
macro_rules! read {
    ($field:ident, $parse:expr) => {
        |config, text| {
            config.$field = $parse(text)?;
            Ok(())
        }
    };
}

/// Every setting, in the order in which people read them.
pub const SETTINGS: &[Setting] = &[
    common(setting(
        "mode",
        "Either development or production, which refuses unsafe settings",
        "production",
        read!(mode, parse::mode),
        |config| parse::mode_text(config.mode).to_owned(),
    )),
    common(setting(
        "data_dir",
        "Folder of the embedded database and the key material",
        "/var/lib/heddle",
        read!(data_dir, parse::path),
        |config| config.data_dir.display().to_string(),
    )),
    common(secret(setting(
        "database_url",
        "The database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME",
        "postgres://heddle:secret@localhost/heddle",
        read!(database_url, parse::database_url),
        |config| config.database_url.clone(),
    ))),
    secret(setting(
        "redis_url",
        "Redis or Valkey that carries the doorbell between nodes: redis:// or, over TLS, rediss://",
        "rediss://heddle:secret@redis.example.com:6379/0",
        read!(redis_url, parse::redis_url),
        |config| config.redis_url.clone().unwrap_or_default(),
    )),
    secret(setting(
        "secret_key",
        "At least 32 random characters from which tokens are sealed, the same on every node of a \
         database; the data folder keeps a key of its own when this is not set",
        "the-48-characters-that-openssl-rand-made-in-base64",
        read!(secret_key, parse::secret_key),
        |config| config.secret_key.clone().unwrap_or_default(),
    )),
    common(setting(
        "listen",
        "Address and port to listen on",
        "0.0.0.0:8000",
        read!(listen, parse::address),
        |config| config.listen.to_string(),
    )),
    common(setting(
        "public_url",
        "Where people reach the server, when that is not the address above",
        "https://chat.example.com",
        read!(public_url, parse::public_url),
        |config| config.public_url.clone().unwrap_or_default(),
    )),
    setting(
        "server_name",
        "Name shown to people",
        "Weavers' guild",
        read!(server_name, parse::server_name),
        |config| config.server_name.clone(),
    ),
    setting(
        "allowed_origins",
        "Web origins, with commas, whose pages may call the API besides the server's own",
        "https://app.example.com,https://beta.example.com",
        read!(allowed_origins, parse::origins),
        |config| config.allowed_origins.join(","),
    ),
    setting(
        "trusted_proxies",
        "Addresses, with commas, of reverse proxies whose X-Forwarded-For is believed",
        "127.0.0.1,10.0.0.2",
        read!(trusted_proxies, parse::addresses),
        |config| parse::addresses_text(&config.trusted_proxies),
    ),
    setting(
        "connections",
        "Most connections at once, sockets included; the system's limit on open files must allow them",
        "20000",
        read!(connections, |text| parse::number(text, 16..=1_000_000)),
        |config| config.connections.to_string(),
    ),
    setting(
        "public_introspection",
        "Whether anonymous callers may introspect the schema (production: false)",
        "false",
        read!(public_introspection, parse::yes_or_no),
        |config| config.public_introspection.to_string(),
    ),
    setting(
        "sign_up_policy",
        "Who may register: open or invite-only (production: invite-only)",
        "invite-only",
        read!(sign_up_policy, parse::sign_up_policy),
        |config| parse::sign_up_policy_text(config.sign_up_policy).to_owned(),
    ),
    setting(
        "access_token_minutes",
        "How long an access token is good for before it must be renewed",
        "5",
        read!(access_token_lifetime, |text| parse::duration(
            text,
            parse::MINUTES,
            1..=60
        )),
        |config| (config.access_token_lifetime.as_secs() / 60).to_string(),
    ),
    setting(
        "edit_window_seconds",
        "How long after sending a message may be edited; unlimited for always",
        "900",
        read!(edit_window, parse::window),
        |config| parse::window_text(config.edit_window),
    ),
    setting(
        "delete_window_seconds",
        "How long after sending a message may be deleted; unlimited for always",
        "3600",
        read!(delete_window, parse::window),
        |config| parse::window_text(config.delete_window),
    ),
    setting(
        "message_length",
        "Longest message, in characters",
        "4000",
        read!(message_length, |text| parse::number(text, 1..=100_000)),
        |config| config.message_length.to_string(),
    ),
    setting(
        "thread_depth",
        "Deepest level of replies; deeper ones attach at this level",
        "8",
        read!(thread_depth, |text| parse::number(text, 1..=50)),
        |config| config.thread_depth.to_string(),
    ),
    setting(
        "participants_per_conversation",
        "Most people in one conversation",
        "500",
        read!(participants_per_conversation, |text| parse::number(
            text,
            2..=100_000
        )),
        |config| config.participants_per_conversation.to_string(),
    ),
    setting(
        "event_replay_seconds",
        "For how long a client that was away can catch up on events",
        "86400",
        read!(event_replay, |text| parse::duration(
            text,
            parse::SECONDS,
            60..=31_536_000
        )),
        |config| config.event_replay.as_secs().to_string(),
    ),
    setting(
        "share_subscription_payloads",
        "Whether subscribers who ask alike share what is executed for them",
        "false",
        read!(share_subscription_payloads, parse::yes_or_no),
        |config| config.share_subscription_payloads.to_string(),
    ),
    setting(
        "list_fast_path",
        "Whether lists are told at once where that is possible, instead of field by field",
        "false",
        read!(list_fast_path, parse::yes_or_no),
        |config| config.list_fast_path.to_string(),
    ),
    setting(
        "sqlite_inline_reads",
        "Whether pages of lists are read from SQLite on the thread that asks, instead of by one of its own",
        "false",
        read!(sqlite_inline_reads, parse::yes_or_no),
        |config| config.sqlite_inline_reads.to_string(),
    ),
    setting(
        "send_batch_size",
        "Most messages that are sent in one transaction, of those that wait for it; 1 sends each by itself",
        "1",
        read!(send_batch_size, |text| parse::number(text, 1..=64)),
        |config| config.send_batch_size.to_string(),
    ),
    setting(
        "loader_delay_microseconds",
        "How long the keys of one level are gathered before the database is asked",
        "1000",
        read!(loader_delay, |text| parse::duration(
            text,
            parse::MICROSECONDS,
            0..=50_000
        )),
        |config| config.loader_delay.as_micros().to_string(),
    ),
    setting(
        "log_format",
        "How logs look: text, json, or auto (text on a terminal and JSON elsewhere)",
        "json",
        read!(log_format, parse::log_format),
        |config| parse::log_format_text(config.log_format).to_owned(),
    ),
    setting(
        "log_level",
        "What is logged: error, warn, info, debug or trace, or levels by module",
        "info,heddle=debug",
        read!(log_level, parse::log_level),
        |config| config.log_level.clone(),
    ),
];

/// The setting with this key.
#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_understood_again() {
        for setting in SETTINGS {
            let mut config = Config::default();
            let default = (setting.show)(&config);
            (setting.read)(&mut config, setting.example).expect(setting.key);
            let example = (setting.show)(&config);
            assert_eq!(example, setting.example, "{}", setting.key);
            assert_ne!(
                example, default,
                "the example of {} is its default",
                setting.key
            );
            if !default.is_empty() {
                (setting.read)(&mut config, &default).expect(setting.key);
                assert_eq!((setting.show)(&config), default);
            }
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let config = Config {
            database_url: "postgres://ann:hunter2@db/heddle".to_owned(),
            redis_url: Some("rediss://:hunter2@cache:6379/1".to_owned()),
            secret_key: Some("hunter2:hunter2hunter2hunter2hunter2".to_owned()),
            ..Config::default()
        };
        let shown = format!("{config:?}");
        assert!(shown.contains("postgres://ann:***@db/heddle"));
        assert!(shown.contains("rediss://:***@cache:6379/1"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
