//! Finds mentions of the form `@username` in a text. Does not check whether the users exist.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::SYNTAX;

/// The maximum number of users that one text mentions.
const MAX_MENTIONS: usize = 50;

/// The length of a username.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=32;

/// Returns the usernames that a Markdown text mentions: in lower case, each once, in order, at most 50. Code, links, email
/// addresses and `\@name` contain no mentions.
#[must_use]
pub fn mentions(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut run = String::new();
    // Inside code blocks, links, images or HTML blocks.
    let mut muted = 0_usize;
    for (event, range) in Parser::new_ext(source, SYNTAX).into_offset_iter() {
        if found.len() >= MAX_MENTIONS {
            break;
        }
        if let Event::Text(text) = &event {
            if muted == 0 {
                let before = range
                    .start
                    .checked_sub(1)
                    .and_then(|at| source.as_bytes().get(at));
                if text.starts_with('@') && before == Some(&b'\\') {
                    run.push('\\');
                }
                run.push_str(text);
            }
            continue;
        }
        collect(&run, &mut found);
        run.clear();
        match event {
            Event::Start(tag) if is_muting(&tag) => muted += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Link | TagEnd::Image | TagEnd::HtmlBlock) => {
                muted = muted.saturating_sub(1);
            }
            _ => {}
        }
    }
    collect(&run, &mut found);
    found
}

const fn is_muting(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock
    )
}

fn collect(text: &str, found: &mut Vec<String>) {
    let mut before = None;
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (head, tail) = rest.split_at(at);
        before = head.chars().next_back().or(before);
        let tail = tail.strip_prefix('@').unwrap_or(tail);
        let run = tail.find(|char| !is_name(char)).unwrap_or(tail.len());
        let (run, after) = tail.split_at(run);
        let name = run.trim_end_matches(['.', '-']);
        let follows = after.chars().next().filter(|_| name.len() == run.len());
        if found.len() < MAX_MENTIONS
            && before.is_none_or(opens)
            && NAME_CHARS.contains(&name.len())
            && !follows.is_some_and(|char| char == '@' || continues(char))
        {
            let name = name.to_ascii_lowercase();
            if !found.contains(&name) {
                found.push(name);
            }
        }
        before = run.chars().next_back().or(Some('@'));
        rest = after;
    }
}

/// Usernames are ASCII.
const fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_')
}

/// Whether `@` right after this character starts a mention rather than the host of an address or
/// a part of a path.
fn opens(char: char) -> bool {
    !continues(char) && !matches!(char, '_' | '-' | '+' | '@' | '/' | '\\' | '%' | '=')
}

/// Whether this character belongs to the same word as the one before it: letters of cased scripts and numbers. Chinese, for
/// example, has no spaces between words.
fn continues(char: char) -> bool {
    char.is_lowercase() || char.is_uppercase() || char.is_numeric()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mentions_are_found_in_text() {
        let cases: &[(&str, &[&str])] = &[
            ("@ann hello", &["ann"]),
            ("hello @Ann, and @bob.", &["ann", "bob"]),
            (
                "(@ann) \"@bob\"! **@cid**, _@dora_",
                &["ann", "bob", "cid", "dora"],
            ),
            ("@ann @ANN @Ann", &["ann"]),
            ("@a.b-c_d ok", &["a.b-c_d"]),
            ("@ann... and @bob--", &["ann", "bob"]),
            ("@ann's turn", &["ann"]),
            ("- @ann\n- @bob\n\n> @cid", &["ann", "bob", "cid"]),
            ("# @ann\n@bob\n@cid", &["ann", "bob", "cid"]),
            ("你好@ann你好", &["ann"]),
            ("@ann_b", &["ann_b"]),
            ("@ann@bob", &[]),
            ("<b>@ann</b>", &["ann"]),
        ];
        for (source, expected) in cases {
            assert_eq!(mentions(source), *expected, "{source}");
        }
    }

    #[test]
    fn code_links_and_addresses_contain_no_mentions() {
        for source in [
            "`@ann`",
            "```\n@ann\n```",
            "    @ann",
            "[@ann](https://example.com)",
            "![@ann](https://example.com)",
            "<mailto:x@ann>",
            "<joe@ann.example>",
            "joe@ann.example",
            "joe+tag@ann",
            "josé@ann",
            "https://example.com/@ann",
            "\\@ann",
            "@",
            "@a",
            "@@ann",
            "@zoë",
            "@.",
            "<div>@ann</div>",
        ] {
            assert_eq!(mentions(source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn names_have_a_length() {
        assert_eq!(mentions(&format!("@{}", "a".repeat(32))).len(), 1);
        assert_eq!(mentions(&format!("@{}", "a".repeat(33))).len(), 0);
        assert_eq!(mentions("@ab"), ["ab"]);
    }

    #[test]
    fn at_most_fifty_users_are_mentioned() {
        let many: Vec<String> = (0..200).map(|number| format!("@user{number}")).collect();
        let found = mentions(&many.join(" "));
        assert_eq!(found.len(), 50);
        assert_eq!(found.first().map(String::as_str), Some("user0"));
    }

    proptest! {
        #[test]
        fn each_mention_is_a_valid_username(source in "(?s)[@a-zA-Z0-9._ \\-`*\\[\\]()<>\\\\\n]{0,80}|\\PC{0,80}") {
            let found = mentions(&source);
            prop_assert!(found.len() <= MAX_MENTIONS);
            for name in &found {
                prop_assert!(NAME_CHARS.contains(&name.len()));
                prop_assert!(name.chars().all(|char| is_name(char) && !char.is_ascii_uppercase()));
                prop_assert_eq!(found.iter().filter(|other| *other == name).count(), 1);
                prop_assert!(source.to_ascii_lowercase().contains(name.as_str()));
            }
        }
    }
}
