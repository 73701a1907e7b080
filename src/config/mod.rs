//! Typed settings: where they are read from, how they are checked and how they are shown. No other module reads the
//! environment. Each setting is declared once, in [`settings`].

mod error;
mod example;
mod production_checks;
mod redaction;
pub mod settings;
mod source_layers;
mod sources;
mod trusted_issuer;
mod values;

pub use self::{
    error::{SettingProblem, SettingProblems},
    example::example,
    settings::Config,
    sources::{Loaded, Sources},
    trusted_issuer::{ClaimNames, JwksLocation, TrustedIssuer},
    values::{LogFormat, Mode, SignUpPolicy, is_unencrypted},
};
