//! Settings, typed. The only reader of the environment.
//!
//! Every setting is one line of [`settings::SETTINGS`]: its flag, its variable, its place in
//! `heddle.toml`, its words in `.env.example` and what `config print` shows all come from there.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub mod error;
pub mod settings;
pub mod sources;

mod example;
mod parse;
mod production_checks;
mod source_layers;

pub use error::{Problem, Problems};
pub use example::example;
pub use sources::{Loaded, Origin, Sources};

/// How careful the server is with unsafe settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On one's own machine.
    Development,
    /// Reachable by others: unsafe settings are refused.
    Production,
}

/// Who may create an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpPolicy {
    /// Anyone.
    Open,
    /// Only people an administrator created.
    InviteOnly,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Words on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The settings of one server.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub struct Config {
    /// Development or production.
    pub mode: Mode,
    /// The name shown to people.
    pub server_name: String,
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: String,
    /// The Redis that carries the doorbell between nodes.
    pub redis_url: Option<String>,
    /// What tokens are sealed with, instead of the key in the data folder.
    pub secret_key: Option<String>,
    /// Where the embedded database and the key material are kept.
    pub data_dir: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where people reach the server, when that is not the address it listens on.
    pub public_url: Option<String>,
    /// Web origins, besides the server's own, whose pages may call the API.
    pub allowed_origins: Vec<String>,
    /// Reverse proxies whose word on where a request comes from is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Most connections at once.
    pub connections: usize,
    /// Whether anonymous callers may introspect the schema.
    pub public_introspection: bool,
    /// Who may register.
    pub sign_up_policy: SignUpPolicy,
    /// How long an access token is good for.
    pub access_token_lifetime: Duration,
    /// How long after sending a message may be edited; `None` for always.
    pub edit_window: Option<Duration>,
    /// How long after sending a message may be deleted; `None` for always.
    pub delete_window: Option<Duration>,
    /// Longest message body, in Unicode characters.
    pub message_length: usize,
    /// Deepest reply level; a deeper reply attaches at this level.
    pub thread_depth: i32,
    /// Most people in one conversation.
    pub participants_per_conversation: usize,
    /// For how long lasting events can be replayed.
    pub event_replay: Duration,
    /// Whether subscribers who ask alike share what is executed for them.
    pub share_subscription_payloads: bool,
    /// Whether lists are told at once where that is possible, and not field by field. Answers are the same.
    pub list_fast_path: bool,
    /// Whether pages of lists are read from SQLite on the thread that asks. Answers are the same.
    pub sqlite_inline_reads: bool,
    /// Most messages that are sent in one transaction, of those that wait for it.
    pub send_batch_size: usize,
    /// How long a data loader gathers keys before it asks the database.
    pub loader_delay: Duration,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by module.
    pub log_level: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Development,
            server_name: "Heddle".to_owned(),
            database_url: "sqlite:data/heddle.sqlite".to_owned(),
            redis_url: None,
            secret_key: None,
            data_dir: PathBuf::from("data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            public_url: None,
            allowed_origins: vec![],
            trusted_proxies: vec![],
            connections: 1024,
            public_introspection: true,
            sign_up_policy: SignUpPolicy::Open,
            access_token_lifetime: Duration::from_mins(10),
            edit_window: None,
            delete_window: None,
            message_length: 10_000,
            thread_depth: 50,
            participants_per_conversation: 10_000,
            event_replay: Duration::from_hours(7 * 24),
            share_subscription_payloads: true,
            list_fast_path: true,
            sqlite_inline_reads: true,
            send_batch_size: 64,
            loader_delay: Duration::from_micros(200),
            log_format: LogFormat::Auto,
            log_level: "info".to_owned(),
        }
    }
}

impl std::fmt::Debug for Config {
    /// Like `config print`: without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        for setting in settings::SETTINGS {
            map.entry(&setting.key, &setting.shown(self));
        }
        map.finish()
    }
}
