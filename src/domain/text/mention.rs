//! Finds mentions of the form `@username` in a text. Does not check whether the users exist.

use std::ops::Range;

/// The maximum number of users that one text mentions.
pub(super) const MAX_MENTIONS: usize = 50;

/// The length of a username.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=32;

/// Finds the mentions in a text without markup. Each range begins with the `@`.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = vec![];
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('@')) {
        let start = from + at;
        let (head, tail) = text.split_at(start);
        let tail = tail.strip_prefix('@').unwrap_or(tail);
        let run = tail.find(|char| !is_name(char)).unwrap_or(tail.len());
        let (run, after) = tail.split_at(run);
        let name = run.trim_end_matches(['.', '-', '_']);
        let follows = after.chars().next().filter(|_| name.len() == run.len());
        if head.chars().next_back().is_none_or(opens)
            && NAME_CHARS.contains(&name.len())
            && !follows.is_some_and(|char| char == '@' || continues(char))
        {
            found.push(start..start + 1 + name.len());
        }
        from = start + 1 + run.len();
    }
    found
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
    use crate::domain::text::mentions;

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
            ("<div>\n@ann\n</div>", &["ann"]),
            ("<!-- @ann -->", &["ann"]),
            ("@ann_", &["ann"]),
            ("@ann_ and @bob._", &["ann", "bob"]),
            ("__cc @ann_", &["ann"]),
            ("[x]: @ann", &["ann"]),
            ("# \n\n```@ann", &["ann"]),
            ("```to @ann\ncode @bob\n```", &["ann"]),
            ("[@ann](javascript:x)", &["ann"]),
            ("&#64;ann &commat;bob", &["ann", "bob"]),
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
            "https://example.com/?to=@ann",
            "<p>https://example.com/,@ann</p>",
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
