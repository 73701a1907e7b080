//! Links: URLs in plain text, and the targets of links.

use std::ops::Range;

use pulldown_cmark_escape::escape_href;
use url::Url;

/// The schemes of URLs that become links without markup.
const BARE_SCHEMES: [&str; 2] = ["https", "http"];
/// The schemes that links may have.
pub(super) const SCHEMES: [&str; 3] = ["https", "http", "mailto"];
/// The maximum length of a URL in plain text, in characters.
const MAX_URL_CHARS: usize = 2000;

/// A URL in plain text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BareUrl {
    /// Where it is, in bytes.
    pub(super) range: Range<usize>,
    /// The URL, without the backslashes of Markdown.
    pub(super) url: String,
}

/// Finds URLs in a text: the extended autolinks of GitHub Flavored Markdown (6.9) with a scheme, also with an IPv6 host
/// and between letters of scripts without spaces. Brackets around a URL and the punctuation behind it do not belong to
/// it. In Markdown, `\_` is `_`.
pub(super) fn bare_urls(text: &str, is_markdown: bool) -> Vec<BareUrl> {
    let mut found = vec![];
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let colon = from + at;
        from = colon + 3;
        let Some(start) = scheme_start(text, colon) else {
            continue;
        };
        let chars = candidate(text, from, is_markdown);
        // After what is no URL, the search continues behind it, so that it takes linear time.
        let end = chars.last().map_or(from, |(_, end)| *end);
        let before = text.get(..start).and_then(|head| head.chars().next_back());
        let chars = trimmed(&chars, before);
        let Some((_, last)) = chars.last().filter(|_| chars.len() <= MAX_URL_CHARS) else {
            from = end;
            continue;
        };
        let scheme = text.get(start..from).unwrap_or_default();
        let url: String = scheme
            .chars()
            .chain(chars.iter().map(|(char, _)| *char))
            .collect();
        if Url::parse(&url).is_ok_and(|url| url.has_host()) {
            found.push(BareUrl {
                range: start..*last,
                url,
            });
            from = *last;
        } else {
            from = end;
        }
    }
    found
}

/// Returns where the scheme before this colon begins, if it is one of [`BARE_SCHEMES`].
fn scheme_start(text: &str, colon: usize) -> Option<usize> {
    let head = text.get(..colon)?;
    let is_scheme = |scheme: &&str| {
        let start = colon.checked_sub(scheme.len())?;
        let is_scheme = head.get(start..)?.eq_ignore_ascii_case(scheme);
        let before = head.get(..start)?.chars().next_back();
        let begins = before.is_none_or(|char| !(char.is_ascii_alphanumeric() || char == '+'));
        (is_scheme && begins).then_some(start)
    };
    BARE_SCHEMES.iter().find_map(is_scheme)
}

/// Returns the characters that may belong to a URL from here on, with the position behind each.
fn candidate(text: &str, from: usize, is_markdown: bool) -> Vec<(char, usize)> {
    let mut found = vec![];
    // Open brackets: round, square and curly ones.
    let mut open = [0_usize; 3];
    let mut chars = text
        .get(from..)
        .unwrap_or_default()
        .char_indices()
        .peekable();
    while let Some((at, char)) = chars.next() {
        let rest = text.get(from + at..).unwrap_or_default();
        let mut char = char;
        let mut end = from + at + char.len_utf8();
        if is_markdown && char == '\\' {
            let Some((at, escaped)) = chars.next_if(|(_, next)| next.is_ascii_punctuation()) else {
                break;
            };
            (char, end) = (escaped, from + at + 1);
        }
        let is_entity = || {
            ["&lt;", "&gt;", "&quot;", "&nbsp;"]
                .iter()
                .any(|entity| rest.starts_with(entity))
        };
        if ends_url(char) || is_markdown && rest.starts_with('&') && is_entity() {
            break;
        }
        if let Some(depth) = "([{".find(char).and_then(|kind| open.get_mut(kind)) {
            *depth += 1;
        } else if let Some(depth) = ")]}".find(char).and_then(|kind| open.get_mut(kind)) {
            if *depth == 0 {
                break;
            }
            *depth -= 1;
        }
        found.push((char, end));
    }
    found
}

/// Whether a character never belongs to a URL in a text: spaces, delimiters (RFC 3986, appendix C), and the punctuation of
/// scripts that write no spaces.
fn ends_url(char: char) -> bool {
    char.is_whitespace()
        || super::character::is_control(char)
        || super::character::changes_direction(char)
        || matches!(
            char,
            '<' | '>' | '"' | '`' | '|' | '\\' | '«' | '»' | '\u{200b}' | '‘'..='‟' | '…' | '、' | '。' | '〈'..='】'
                | '〔'..='〟' | '！' | '（' | '）' | '，' | '：' | '；' | '？' | '｛' | '｝' | '｡' | '､'
        )
}

/// Removes from the end what belongs to the text around a URL: punctuation, brackets that are not closed, and marks of
/// emphasis and quotation, unless there is another one inside the URL and none before it.
fn trimmed(mut chars: &[(char, usize)], before: Option<char>) -> &[(char, usize)] {
    while let Some(((last, _), rest)) = chars.split_last() {
        match last {
            '?' | '!' | '.' | ',' | ':' | ';' | '(' | '[' | '{' => chars = rest,
            '*' | '_' | '~' | '\'' => {
                let run = chars
                    .iter()
                    .rev()
                    .take_while(|(char, _)| char == last)
                    .count();
                let body = chars.get(..chars.len() - run).unwrap_or_default();
                if before != Some(*last) && body.iter().any(|(char, _)| char == last) {
                    break;
                }
                chars = body;
            }
            _ => break,
        }
    }
    chars
}

/// Whether a link may have this target.
pub(super) fn is_allowed(target: &str) -> bool {
    Url::parse(target).is_ok_and(|url| SCHEMES.contains(&url.scheme()))
}

/// Returns a target as the value of `href`. The square brackets of an IPv6 host are not escaped.
pub(super) fn href(target: &str) -> String {
    let escape = |text: &str, escaped: &mut String| {
        // Writing to a string does not fail.
        let _ = escape_href(escaped, text);
    };
    let mut escaped = String::with_capacity(target.len() + 8);
    let authority = target.find("://").map_or(0, |at| at + 3);
    let (head, rest) = target.split_at(authority);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    escape(head, &mut escaped);
    let is_plain = |char: char| char.is_ascii_alphanumeric() || ".-_~:@[]%".contains(char);
    if host.contains('[') && host.chars().all(is_plain) {
        escaped.push_str(host);
    } else {
        escape(host, &mut escaped);
    }
    escape(tail, &mut escaped);
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn urls(text: &str) -> Vec<String> {
        let found = bare_urls(text, true).into_iter();
        found.map(|found| found.url).collect()
    }

    #[test]
    fn urls_end_before_punctuation_and_brackets() {
        for (text, url) in [
            ("see https://example.com/a.", "https://example.com/a"),
            ("https://example.com/a...", "https://example.com/a"),
            ("https://example.com/a?!", "https://example.com/a"),
            ("https://example.com/a;", "https://example.com/a"),
            ("(https://example.com/a)", "https://example.com/a"),
            ("(see https://example.com/a).", "https://example.com/a"),
            ("[https://example.com/a]", "https://example.com/a"),
            ("{https://example.com/a}", "https://example.com/a"),
            ("<https://example.com/a>", "https://example.com/a"),
            ("\"https://example.com/a\"", "https://example.com/a"),
            ("'https://example.com/a'", "https://example.com/a"),
            ("“https://example.com/a”", "https://example.com/a"),
            ("«https://example.com/a»", "https://example.com/a"),
            (
                "https://en.example.org/wiki/Mercury_(planet) is",
                "https://en.example.org/wiki/Mercury_(planet)",
            ),
            (
                "(https://example.com/a_(b)_c)",
                "https://example.com/a_(b)_c",
            ),
            ("https://example.com/a(b", "https://example.com/a(b"),
            ("https://example.com/*a*", "https://example.com/*a*"),
            ("**https://example.com/a**", "https://example.com/a"),
            ("*see https://example.com/a*", "https://example.com/a"),
            ("__https://example.com/a_b__", "https://example.com/a_b"),
            ("~~https://example.com/~a~~", "https://example.com/~a"),
            ("https://example.com/a_b_", "https://example.com/a_b_"),
            (
                "https://example.com/?q=a&b=c#d",
                "https://example.com/?q=a&b=c#d",
            ),
            ("https://example.com#d", "https://example.com#d"),
            ("https://example.com", "https://example.com"),
            ("HTTPS://Example.COM/A", "HTTPS://Example.COM/A"),
            ("http://localhost:8080/x", "http://localhost:8080/x"),
            ("http://192.0.2.1/", "http://192.0.2.1/"),
            (
                "see http://[2001:db8::1]:8080/.",
                "http://[2001:db8::1]:8080/",
            ),
            ("([x] http://[::1])", "http://[::1]"),
            ("https://bücher.example/ä", "https://bücher.example/ä"),
            ("请看https://example.com/a。好", "https://example.com/a"),
            ("（https://example.com/a）", "https://example.com/a"),
            ("https://example.com/a\\_b\\*c", "https://example.com/a_b*c"),
            ("\\<https://example.com/a\\>", "https://example.com/a"),
            ("&lt;https://example.com/a&gt;", "https://example.com/a"),
            ("https://example.com/a\\", "https://example.com/a"),
            ("https://example.com/a|b", "https://example.com/a"),
            (
                "https://x.example/a,https://y",
                "https://x.example/a,https://y",
            ),
            ("https://example.com/a\u{202e}b", "https://example.com/a"),
        ] {
            assert_eq!(urls(text), [url], "{text}");
        }
        assert_eq!(urls("http://a/ and http://b/."), ["http://a/", "http://b/"]);
    }

    #[test]
    fn other_text_is_no_url() {
        for text in [
            "example.com",
            "www.example.com",
            "ftp://example.com",
            "javascript://example.com/%0aalert(1)",
            "git+https://example.com",
            "xhttps://example.com",
            "https://",
            "https://.",
            "https:// example.com",
            "https://[::1",
            "http:example.com",
            "://",
        ] {
            assert_eq!(urls(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            urls(&format!("https://example.com/{}", "a".repeat(3000))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn targets_keep_the_brackets_of_their_host() {
        for (target, value) in [
            (
                "http://[2001:db8::1]:8080/a[b]",
                "http://[2001:db8::1]:8080/a%5Bb%5D",
            ),
            ("http://a\"b/", "http://a%22b/"),
            ("http://[\"]/", "http://%5B%22%5D/"),
            (
                "https://example.com/a b?c&d",
                "https://example.com/a%20b?c&amp;d",
            ),
            ("mailto:ann@example.com", "mailto:ann@example.com"),
        ] {
            assert_eq!(href(target), value);
        }
    }

    proptest! {
        #[test]
        fn urls_are_where_they_are_found(text in "([a-z]{0,3}|https?://|[].,:*_~'()\\[\\\\ \n/&<>]|é|。|@){0,40}") {
            let found = bare_urls(&text, false);
            for (found, next) in found.iter().zip(found.iter().skip(1)) {
                prop_assert!(found.range.end <= next.range.start);
            }
            for BareUrl { range, url } in found {
                prop_assert_eq!(text.get(range), Some(url.as_str()));
                prop_assert!(Url::parse(&url).is_ok());
            }
            bare_urls(&text, true);
        }
    }
}
