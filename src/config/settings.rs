//! The table of settings: one entry declares the field of [`Config`], its default, its name in every source and its
//! documentation.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

use super::{
    redaction::redacted,
    trusted_issuer::{TrustedIssuer, trusted_issuers},
    values::{self, LogFormat, Mode, SignUpPolicy, text_of},
};

/// How a setting is named, documented, parsed and shown.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name in `heddle.toml`. The environment variable and the flag are derived from it.
    pub key: &'static str,
    /// The description for `--help` and `.env.example`, without a full stop.
    pub about: &'static str,
    /// A valid value that differs from the default.
    pub example: &'static str,
    /// Whether the value is redacted, and may be read from a file.
    pub is_secret: bool,
    /// Whether `--help` lists the flag.
    pub is_common: bool,
    /// The default in production, if it differs.
    pub production: Option<&'static str>,
    /// Parses text into the field. The error is the end of a sentence about the value.
    pub read: fn(&mut Config, &str) -> Result<(), String>,
    /// The value as text that `read` accepts; empty if there is none.
    pub show: fn(&Config) -> String,
}

impl Setting {
    /// The description, with the default in production.
    #[must_use]
    pub fn description(&self) -> String {
        let production = self.production;
        let default = production.map(|value| format!(" (default in production: {value})"));
        format!("{}{}", self.about, default.unwrap_or_default())
    }

    /// The value as text without secrets.
    #[must_use]
    pub fn redacted(&self, config: &Config) -> String {
        let value = (self.show)(config);
        if self.is_secret {
            redacted(&value)
        } else {
            value
        }
    }
}

/// The environment variable of a key.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("HEDDLE_{}", key.to_uppercase())
}

/// The flag of a key, with its dashes.
pub(super) fn flag(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

macro_rules! show {
    ($value:expr) => {
        text_of(&$value)
    };
    ($value:expr, $show:expr) => {
        ($show)(&$value)
    };
}

/// Expands to [`Config`], its default and [`SETTINGS`]. An entry reads: description; key; field, type and default;
/// properties; parser; writer, if the type has no text form; example.
macro_rules! settings {
    ($(
        $about:literal
        $key:literal $field:ident: $type:ty = $default:expr;
        [$($property:ident: $value:expr),*] $read:expr $(=> $show:expr)?; $example:literal
    )*) => {
        /// The settings of one server.
        #[derive(Clone, PartialEq, Eq)]
        pub struct Config {
            $(#[doc = concat!("The setting `", $key, "`.")] pub $field: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        /// All settings, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            key: $key,
            about: $about,
            example: $example,
            $($property: $value,)*
            read: |config, text| {
                config.$field = ($read)(text)?.into();
                Ok(())
            },
            show: |config| show!(config.$field $(, $show)?),
            ..PLAIN
        },)*];
    };
}

/// A setting without properties.
const PLAIN: Setting = Setting {
    key: "",
    about: "",
    example: "",
    is_secret: false,
    is_common: false,
    production: None,
    read: |_, _| Ok(()),
    show: |_| String::new(),
};

settings! {
    "Either development, or production, which rejects unsafe settings"
    "mode" mode: Mode = Mode::Development;
    [is_common: true] values::choice::<Mode>; "production"

    "Folder of the SQLite database and the token key"
    "data_dir" data_dir: PathBuf = PathBuf::from("data");
    [is_common: true] values::path; "/var/lib/heddle"

    "The database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME"
    "database_url" database_url: String = "sqlite:data/heddle.sqlite".to_owned();
    [is_common: true, is_secret: true] values::database_url; "postgres://heddle:secret@localhost/heddle"

    "Redis or Valkey that carries wake-ups between nodes: redis:// or, with TLS, rediss://"
    "redis_url" redis_url: Option<String> = None;
    [is_secret: true] |text| values::host_url(text, ["redis", "rediss"]); "rediss://heddle:secret@redis.example.com:6379/0"

    "At least 32 random characters from which the token keys are derived; must be the same on all nodes of a database. \
     When it is not set, a key is generated in the data folder"
    "secret_key" secret_key: Option<String> = None;
    [is_secret: true] values::secret_key; "the-48-characters-that-openssl-rand-made-in-base64"

    "Address and port to listen on"
    "listen" listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8000));
    [is_common: true] values::address; "0.0.0.0:8000"

    "URL at which users reach the server, if it differs from the listen address"
    "public_url" public_url: Option<String> = None;
    [is_common: true] values::public_url; "https://chat.example.com"

    "Email address of the first administrator, who is created at the start if there is none; needs admin_password"
    "admin_email" admin_email: Option<String> = None;
    [] values::email; "admin@example.com"

    "Password of the first administrator; has no effect when there is one"
    "admin_password" admin_password: Option<String> = None;
    [is_secret: true] values::password; "a-loom-has-many-heddles"

    "Mail server that sends the server's mail: smtps://USER:PASSWORD@HOST, or smtp:// with STARTTLS; smtp://HOST?tls=none is \
     not encrypted. Without it, development writes mail to files in the data folder, and production sends none"
    "smtp_url" smtp_url: Option<String> = None;
    [is_secret: true] |text| values::host_url(text, ["smtp", "smtps"]); "smtps://heddle:secret@mail.example.com"

    "Sender of the server's mail; needs smtp_url"
    "smtp_from" smtp_from: Option<String> = None;
    [] values::sender; "Weavers' guild <chat@example.com>"

    "File with a certificate of an authority, in PEM form, that is trusted for the mail server in addition to the public ones"
    "smtp_ca_file" smtp_ca_file: Option<PathBuf> = None;
    [] values::path; "/etc/ssl/mail-ca.pem"

    "Whether accounts can be used only after their address is verified; needs mail"
    "require_verified_email" require_verified_email: bool = false;
    [] values::boolean; "true"

    "Whether administrators can use their accounts only with a second factor"
    "require_admin_second_factor" require_admin_second_factor: bool = false;
    [] values::boolean; "true"

    "Whether all accounts can be used only with a second factor"
    "require_second_factor" require_second_factor: bool = false;
    [] values::boolean; "true"

    "Other systems whose access tokens are accepted: a list in JSON (in heddle.toml, tables) with the issuer, the audience, \
     the URL or the file of its public keys (jwks) and, if they are not those of OpenID Connect, the names of the claims \
     (subject, username, display_name and email)"
    "trusted_issuers" trusted_issuers: Vec<TrustedIssuer> = vec![];
    [] trusted_issuers; r#"[{"audience":"heddle","issuer":"https://app.example.com","jwks":"https://app.example.com/keys"}]"#

    "Addresses or networks inside the own network that the server may send requests to, separated by commas; without it, \
     it sends requests only to public addresses"
    "egress_networks" egress_networks: Vec<IpNet> = vec![];
    [] values::networks; "10.1.2.3/32"

    "Server name shown to users"
    "server_name" server_name: String = "Heddle".to_owned();
    [] values::server_name; "Weavers' guild"

    "Other web origins whose pages may call the API, separated by commas"
    "allowed_origins" allowed_origins: Vec<String> = vec![];
    [] values::origins; "https://app.example.com,https://beta.example.com"

    "Addresses or networks of reverse proxies, separated by commas; their X-Forwarded-For and X-Forwarded-Proto headers \
     are trusted"
    "trusted_proxies" trusted_proxies: Vec<IpNet> = vec![];
    [] values::networks; "127.0.0.1/32,10.0.0.0/8"

    "Maximum open connections, including WebSockets; the limit on open files must be higher"
    "connections" connections: usize = 1024;
    [] |text| values::number::<usize>(text, 16..=1_000_000); "20000"

    "Whether anonymous callers may introspect the schema"
    "public_introspection" public_introspection: bool = true;
    [production: Some("false")] values::boolean; "false"

    "Whether responses have the header Server-Timing, whose times and numbers of statements can reveal what a response \
     hides"
    "server_timing" server_timing: bool = true;
    [production: Some("false")] values::boolean; "false"

    "Domains of the email addresses of accounts, separated by commas, without their subdomains; any domain when it is not \
     set. An invitation for an address, and an account that an administrator creates, may use another one"
    "allowed_email_domains" allowed_email_domains: Vec<String> = vec![];
    [] values::domains; "example.org,example.com"

    "Who may register: open, invite-only or closed"
    "sign_up_policy" sign_up_policy: SignUpPolicy = SignUpPolicy::Open;
    [production: Some("invite-only")] values::choice::<SignUpPolicy>; "invite-only"

    "Whether the rate of each user's actions is limited"
    "rate_limits" rate_limits: bool = false;
    [production: Some("true")] values::boolean; "true"

    "Messages that a user may send per minute if rate_limits is true; after a pause, as many in a burst"
    "messages_per_minute" messages_per_minute: u32 = 60;
    [] |text| values::number::<u32>(text, 1..=1_000_000); "600"

    "Lifetime of an access token, in minutes"
    "access_token_minutes" access_token_lifetime: Duration = Duration::from_mins(10);
    [] |text| values::number(text, 1..=60).map(Duration::from_mins)
        => |lifetime: &Duration| (lifetime.as_secs() / 60).to_string(); "5"

    "Time after sending in which a message may be edited, in seconds, or unlimited"
    "edit_window_seconds" edit_window: Option<Duration> = None;
    [] values::window => values::window_text; "900"

    "Time after sending in which a message may be deleted, in seconds, or unlimited"
    "delete_window_seconds" delete_window: Option<Duration> = None;
    [] values::window => values::window_text; "3600"

    "Maximum length of a message, in Unicode characters"
    "message_length" message_length: usize = 10_000;
    [] |text| values::number::<usize>(text, 1..=100_000); "4000"

    "Maximum depth to which the tree order of a thread nests replies, up to 500; deeper replies follow in order of time"
    "thread_depth" thread_depth: i32 = 50;
    [] |text| values::number::<i32>(text, 1..=500); "8"

    "Maximum participants in one conversation"
    "participants_per_conversation" participants_per_conversation: usize = 10_000;
    [] |text| values::number::<usize>(text, 2..=100_000); "500"

    "How long events are kept for clients that reconnect, in seconds"
    "event_replay_seconds" event_replay: Duration = Duration::from_hours(7 * 24);
    [] |text| values::number(text, 60..=31_536_000).map(Duration::from_secs)
        => |kept: &Duration| kept.as_secs().to_string(); "86400"

    "Whether subscribers with the same selection share one executed payload"
    "share_subscription_payloads" share_subscription_payloads: bool = true;
    [] values::boolean; "false"

    "Whether lists are serialised directly where possible, instead of field by field; responses are the same"
    "list_fast_path" list_fast_path: bool = true;
    [] values::boolean; "false"

    "Whether list pages are read from SQLite on the calling thread, instead of a driver thread; responses are the same"
    "sqlite_inline_reads" sqlite_inline_reads: bool = true;
    [] values::boolean; "false"

    "Maximum queued messages committed in one transaction; 1 disables batching"
    "send_batch_size" send_batch_size: usize = 64;
    [] |text| values::number::<usize>(text, 1..=64); "1"

    "Log format: text, json, or auto (text on a terminal, JSON elsewhere)"
    "log_format" log_format: LogFormat = LogFormat::Auto;
    [] values::choice::<LogFormat>; "json"

    "Log level: error, warn, info, debug or trace, or levels by module"
    "log_level" log_level: String = "info".to_owned();
    [] values::log_level; "info,heddle=debug"
}

/// Former names of settings, with the current ones. A former name is rejected with a message that gives the new one.
pub const RENAMED: [(&str, &str); 4] = [
    ("share_answers", "share_subscription_payloads"),
    ("lists_at_once", "list_fast_path"),
    ("read_in_place", "sqlite_inline_reads"),
    ("sends_together", "send_batch_size"),
];

/// Returns the setting with this key.
#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

impl Config {
    /// The origin at which users reach the server that listens on this address.
    #[must_use]
    pub fn origin(&self, address: SocketAddr) -> String {
        (self.public_url.clone()).unwrap_or_else(|| format!("http://{address}"))
    }
}

impl std::fmt::Debug for Config {
    /// Prints every setting without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values = SETTINGS
            .iter()
            .map(|setting| (setting.key, setting.redacted(self)));
        f.debug_map().entries(values).finish()
    }
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
