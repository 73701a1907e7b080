//! Describes a client by its `User-Agent`. The description is only shown, never trusted.

/// The label of a client that is not recognised.
const UNKNOWN: &str = "Unknown device";
/// The maximum length of the name of a client that is not in the list.
const NAME_MAX: usize = 30;

/// Browsers by their token. Most send several tokens: the first match counts.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// Operating systems by their token, specific ones before general ones.
const SYSTEMS: [(&str, &str); 8] = [
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

/// Returns a label such as `Firefox on Linux`.
pub(super) fn label(user_agent: Option<&str>) -> String {
    let Some(text) = user_agent.map(str::trim).filter(|text| !text.is_empty()) else {
        return UNKNOWN.to_owned();
    };
    let known = |tokens: &[(&str, &'static str)]| {
        let found = tokens.iter().find(|(token, _)| text.contains(token));
        found.map(|&(_, name)| name)
    };
    match (known(&BROWSERS).or_else(|| product(text)), known(&SYSTEMS)) {
        (Some(client), Some(system)) => format!("{client} on {system}"),
        (Some(client), None) => client.to_owned(),
        (None, Some(system)) => system.to_owned(),
        (None, None) => UNKNOWN.to_owned(),
    }
}

/// Returns the product name before the first version number, if it has only plain characters.
fn product(text: &str) -> Option<&str> {
    let name = text.split(['/', ' ', '(']).next()?;
    let is_plain = (1..=NAME_MAX).contains(&name.len())
        && name != "Mozilla"
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.'));
    is_plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_browser_and_system() {
        for (text, expected) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/142.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.14.1", "curl"),
            ("heddle-cli/1.0 (Linux)", "heddle-cli on Linux"),
            ("Mozilla/5.0 (Macintosh)", "macOS"),
            ("Mozilla/5.0", "Unknown device"),
            ("  ", "Unknown device"),
            ("<script>alert(1)</script>", "Unknown device"),
        ] {
            assert_eq!(label(Some(text)), expected);
        }
        assert_eq!(label(None), "Unknown device");
    }
}
