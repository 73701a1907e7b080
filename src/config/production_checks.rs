//! Settings that do not go together, and what a server that others can reach refuses to start with.

use super::{Config, Mode, SignUpPolicy};

/// Settings that contradict each other, or are unsafe in production: their keys, and why.
pub(super) fn refusals(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if config.redis_url.is_some() && config.database_url.starts_with("sqlite:") {
        let reason = "has no use with SQLite, whose file belongs to one node; \
                      use PostgreSQL for several, or remove it";
        found.push(("redis_url", reason.to_owned()));
    }
    if config.mode != Mode::Production {
        return found;
    }
    match &config.public_url {
        None => found.push((
            "public_url",
            "production needs the address at which people reach the server, \
             for example https://chat.example.com"
                .to_owned(),
        )),
        Some(url) if url.starts_with("http://") && !is_local(url) => found.push((
            "public_url",
            "production needs https: passwords and messages would cross the network in the clear"
                .to_owned(),
        )),
        Some(_) => {}
    }
    if config.sign_up_policy == SignUpPolicy::Open {
        let reason = "production refuses open: addresses cannot be verified without mail; \
                      use invite-only";
        found.push(("sign_up_policy", reason.to_owned()));
    }
    found
}

fn is_local(url: &str) -> bool {
    let host = url::Url::parse(url)
        .ok()
        .and_then(|url| url.host().map(|host| host.to_owned()));
    match host {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
