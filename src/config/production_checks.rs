//! Rejects settings that contradict each other, and settings that are unsafe in production.

use url::Url;

use super::{
    settings::{self, Config},
    values::{Mode, SignUpPolicy, is_unencrypted},
};

/// Returns the key of each rejected setting, with the reason.
pub(super) fn refusals(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if config.redis_url.is_some() && config.database_url.starts_with("sqlite:") {
        let reason = "has no use with SQLite, which supports a single node; \
                      use PostgreSQL for several nodes, or remove this setting";
        found.push(("redis_url", reason.to_owned()));
    }
    let example = settings::find("secret_key").map(|setting| setting.example);
    if config.secret_key.is_some() && config.secret_key.as_deref() == example {
        let reason = "is the example of the documentation, with which anyone can sign tokens; \
                      openssl rand -base64 36 generates another";
        found.push(("secret_key", reason.to_owned()));
    }
    let (admin, smtp) = (&config.admin_email, &config.smtp_url);
    for (one, other, has_one, has_other) in [
        (
            "admin_email",
            "admin_password",
            admin.is_some(),
            config.admin_password.is_some(),
        ),
        (
            "smtp_url",
            "smtp_from",
            smtp.is_some(),
            config.smtp_from.is_some(),
        ),
    ] {
        if has_one != has_other {
            let key = if has_one { one } else { other };
            found.push((key, format!("needs the other one of {one} and {other}")));
        }
    }
    if config.mode != Mode::Production {
        return found;
    }
    match &config.public_url {
        None => found.push((
            "public_url",
            "production needs the URL at which users reach the server, \
             for example https://chat.example.com"
                .to_owned(),
        )),
        Some(url) if url.starts_with("http://") && !is_local(url) => found.push((
            "public_url",
            "production needs https: with http, passwords and messages are sent unencrypted"
                .to_owned(),
        )),
        Some(url) if url.starts_with("https://") && config.trusted_proxies.is_empty() => {
            let reason = "production with https needs the address of the proxy that decrypts it, \
                          for example 127.0.0.1; otherwise all users share its limits per address";
            found.push(("trusted_proxies", reason.to_owned()));
        }
        Some(_) => {}
    }
    let is_exposed =
        |url: &String| Url::parse(url).is_ok_and(|url| is_unencrypted(&url)) && !is_local(url);
    if smtp.as_ref().is_some_and(is_exposed) {
        let reason =
            "production needs an encrypted connection to the mail server; remove ?tls=none";
        found.push(("smtp_url", reason.to_owned()));
    }
    if config.require_verified_email && smtp.is_none() {
        let reason = "needs a mail server (smtp_url): without mail, addresses cannot be verified";
        found.push(("require_verified_email", reason.to_owned()));
    }
    if config.sign_up_policy == SignUpPolicy::Open && !config.require_verified_email {
        let reason = "production refuses open, because anyone could register with the address of another \
                      person; set require_verified_email, or use invite-only";
        found.push(("sign_up_policy", reason.to_owned()));
    }
    found
}

fn is_local(url: &str) -> bool {
    let host = Url::parse(url)
        .ok()
        .and_then(|url| url.host().map(|host| host.to_owned()));
    match host {
        // Only in http and https URLs is an IPv4 address not a name.
        Some(url::Host::Domain(name)) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost"
                || name.ends_with(".localhost")
                || address.is_ok_and(|address| address.is_loopback())
        }
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
