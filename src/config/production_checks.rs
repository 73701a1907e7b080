//! Rejects settings that contradict each other, and settings that are unsafe in production.

use std::net::IpAddr;

use url::Url;

use super::{
    settings::{self, Config},
    trusted_issuer::{JwksLocation, TrustedIssuer},
    values::{Mode, SignUpPolicy, is_unencrypted},
};

/// Expands to the keys whose condition is true, with their reasons.
macro_rules! refused {
    ($($key:literal if $condition:expr => $reason:literal;)*) => {{
        let mut refused = vec![];
        $(if $condition {
            refused.push(($key, $reason));
        })*
        refused
    }};
}

/// Returns the key of each rejected setting, with the reason.
pub(super) fn refusals(config: &Config) -> Vec<(&'static str, &'static str)> {
    let is_production = config.mode == Mode::Production;
    let url = |text: &Option<String>| text.as_deref().and_then(|text| Url::parse(text).ok());
    let (public, smtp) = (url(&config.public_url), url(&config.smtp_url));
    let scheme = public.as_ref().map(Url::scheme);
    let example = settings::find("secret_key").map(|setting| setting.example);
    let has_password = config.admin_password.is_some();
    refused! {
        "redis_url" if config.redis_url.is_some() && config.database_url.starts_with("sqlite:") =>
            "has no use with SQLite, which supports a single node; use PostgreSQL for several nodes, or remove this \
             setting";
        "secret_key" if config.secret_key.is_some() && config.secret_key.as_deref() == example =>
            "is the example of the documentation, with which anyone can sign tokens; openssl rand -base64 36 generates \
             another";
        "admin_email" if config.admin_email.is_some() && !has_password => "needs admin_password";
        "admin_password" if has_password && config.admin_email.is_none() => "needs admin_email";
        "smtp_url" if smtp.is_some() && config.smtp_from.is_none() => "needs smtp_from";
        "smtp_url" if smtp.as_ref().is_some_and(|url| url.query().is_some() && !is_unencrypted(url)) =>
            "has no options other than smtp://HOST?tls=none";
        "smtp_from" if smtp.is_none() && config.smtp_from.is_some() => "needs smtp_url";
        "public_url" if is_production && public.is_none() =>
            "production needs the URL at which users reach the server, for example https://chat.example.com";
        "public_url" if is_production && scheme == Some("http") && !public.as_ref().is_some_and(is_local) =>
            "production needs https: with http, passwords and messages are sent unencrypted";
        "trusted_proxies" if is_production && scheme == Some("https") && config.trusted_proxies.is_empty() =>
            "production with https needs the address of the proxy that decrypts it, for example 127.0.0.1; otherwise \
             all users share its limits per address";
        "smtp_url" if is_production && smtp.as_ref().is_some_and(|url| is_unencrypted(url) && !is_local(url)) =>
            "production needs an encrypted connection to the mail server; remove ?tls=none";
        "trusted_issuers" if is_production && config.trusted_issuers.iter().any(is_fetched_unencrypted) =>
            "production needs https for the URL of public keys: with http, others on the way can replace them";
        "require_verified_email" if is_production && config.require_verified_email && smtp.is_none() =>
            "needs a mail server (smtp_url): without mail, addresses cannot be verified";
        "sign_up_policy" if is_production
            && config.sign_up_policy == SignUpPolicy::Open && !config.require_verified_email =>
            "production refuses open, because anyone could register with the address of another person; set \
             require_verified_email, or use invite-only";
    }
}

fn is_fetched_unencrypted(issuer: &TrustedIssuer) -> bool {
    matches!(&issuer.jwks, JwksLocation::Url(url) if url.scheme() == "http" && !is_local(url))
}

fn is_local(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default();
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}
