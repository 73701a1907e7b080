//! Renders Markdown to HTML that is safe to insert into a page. Elements and attributes that are not listed here are
//! removed.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::html::push_html;

use super::{
    link::SCHEMES,
    shown::{Shown, is_language},
    source::PreparedSource,
};

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from([
            "p",
            "br",
            "hr",
            "strong",
            "em",
            "del",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "a",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
        ]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href"])),
            ("ol", HashSet::from(["start"])),
            ("code", HashSet::from(["class"])),
        ]))
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow noopener noreferrer"))
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("code", "class") => {
                let language = value.strip_prefix("language-");
                language
                    .is_some_and(is_language)
                    .then_some(Cow::Borrowed(value))
            }
            _ => Some(Cow::Borrowed(value)),
        });
    builder
});

/// Renders Markdown to a small set of HTML elements. HTML in the source is shown as text, images become links, bare URLs
/// are links, and line breaks are kept.
#[must_use]
pub(super) fn html(source: &str) -> String {
    let prepared = PreparedSource::new(source);
    let mut raw = String::with_capacity(source.len() + source.len() / 2);
    push_html(&mut raw, Shown::new(&prepared));
    SANITIZER.clean(&raw).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;
    use crate::domain::text::shown::MAX_SOURCE_BYTES;

    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^>]*>?").unwrap());
    static ALLOWED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r#"^</?(p|br|hr|strong|em|del|code|pre|blockquote|ul|ol|li|h[1-6])>$"#,
            r#"|^<a( href="(https?:|mailto:)[^"<>]*")? rel="nofollow noopener noreferrer">$|^</a>$"#,
            r#"|^<ol start="[0-9]+">$|^<code class="language-[-A-Za-z0-9+_#.]{1,32}">$"#,
        ))
        .unwrap()
    });

    #[track_caller]
    fn assert_safe(source: &str) {
        let html = html(source);
        for tag in TAG.find_iter(&html) {
            assert!(ALLOWED.is_match(tag.as_str()), "{source:?} gave {html:?}");
        }
    }

    #[test]
    fn common_markdown_is_rendered() {
        let cases = [
            (
                "Hello **you** and _you_",
                "<p>Hello <strong>you</strong> and <em>you</em></p>\n",
            ),
            ("~~gone~~", "<p><del>gone</del></p>\n"),
            ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
            ("# Title", "<h1>Title</h1>\n"),
            (
                "> quoted\n\nyes",
                "<blockquote>\n<p>quoted</p>\n</blockquote>\n<p>yes</p>\n",
            ),
            (
                "3. c\n4. d",
                "<ol start=\"3\">\n<li>c</li>\n<li>d</li>\n</ol>\n",
            ),
            (
                "```rust\nlet a = 1 < 2;\n```",
                "<pre><code class=\"language-rust\">let a = 1 &lt; 2;\n</code></pre>\n",
            ),
            (
                "[site](https://example.com \"title\")",
                "<p><a href=\"https://example.com\" rel=\"nofollow noopener noreferrer\">site</a> (title)</p>\n",
            ),
            (
                "<ann@example.com>",
                "<p><a href=\"mailto:ann@example.com\" rel=\"nofollow noopener noreferrer\">ann@example.com</a></p>\n",
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(html(source), expected);
        }
    }

    #[test]
    fn html_in_the_source_is_shown_as_text() {
        assert_eq!(
            html("a <b>bold</b> claim"),
            "<p>a &lt;b&gt;bold&lt;/b&gt; claim</p>\n"
        );
        assert_eq!(
            html("<script>alert(1)</script>"),
            "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"
        );
    }

    #[test]
    fn images_become_links_and_never_load() {
        assert_eq!(
            html("![cat](https://example.com/cat.png)"),
            "<p><a href=\"https://example.com/cat.png\" rel=\"nofollow noopener noreferrer\">cat</a></p>\n"
        );
        let nested = html("[![cat](https://example.com/cat.png)](https://example.com)");
        assert_eq!(nested.matches("<a ").count(), 1);
    }

    #[test]
    fn dangerous_addresses_lose_their_target() {
        for source in [
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](<java\tscript:alert(1)>)",
            "[x](data:text/html;base64,AAAA)",
            "[x](vbscript:x)",
            "[x](//example.com)",
            "[x](/relative)",
            "![x](javascript:alert(1))",
            "<javascript:alert(1)>",
        ] {
            assert_safe(source);
            assert!(
                !html(source).contains("href="),
                "{source} gave {}",
                html(source)
            );
        }
    }

    #[test]
    fn a_language_that_is_not_a_name_is_dropped() {
        assert!(html("```\"><img\nx\n```").contains("<pre><code>x"));
        assert!(html("```c++\nx\n```").contains("language-c++"));
    }

    #[test]
    fn deep_nesting_is_levelled_and_keeps_its_text() {
        let html = html(&format!("{}deep", ">".repeat(20_000)));
        assert!(html.contains("deep"));
        assert_eq!(html.matches("<blockquote>").count(), 24);
        assert_eq!(html.matches("</blockquote>").count(), 24);
    }

    #[test]
    fn hostile_input_takes_bounded_time() {
        let start = Instant::now();
        for unit in [
            "[",
            "*",
            "_a",
            "`a``",
            "![",
            "<",
            "> ",
            "- ",
            "1. ",
            "[a](",
            "**a _b ",
            "&",
            "\\",
            "[x]: y\n",
            "[x]",
            "<a ",
            "~~",
            "a\n",
            "\t",
            "#",
            "<!--",
            "<?",
            "<![CDATA[",
            "http://",
            "http://:",
            "http://a/*",
            "https://a/( ",
            "http://a|",
            "http://a@b ",
            "<http://a",
            "[http://a](",
            "[a]: http://b\n[a] ",
            "]:",
            "\\http://a",
            "<b>@ab ",
            "![](a)",
            "# \n",
            "```a\n",
        ] {
            assert_safe(&unit.repeat(20_000 / unit.len()));
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn text_longer_than_the_maximum_is_shown_verbatim() {
        let html = html(&"<b> & ".repeat(MAX_SOURCE_BYTES / 6 + 1));
        assert!(html.starts_with("<pre><code>&lt;b&gt; &amp; "));
    }

    const PIECES: &[&str] = &[
        "<script>",
        "</script>",
        "<img src=x onerror=alert(1)>",
        "javascript:",
        "[",
        "](",
        ")",
        "![",
        "`",
        "```\n",
        "\n",
        "\n\n",
        "> ",
        "- ",
        "1. ",
        "*",
        "_",
        "~~",
        "<",
        ">",
        "\"",
        "'",
        "&lt;",
        "&#x3c;",
        "\\",
        "<a href=\"",
        "<!--",
        "-->",
        "<svg/onload=x>",
        "<math>",
        "<style>",
        "http://x",
        "mailto:",
        "data:",
        "\0",
        "\u{202e}",
        "é",
        "<p ",
        "onclick=",
        "</p>",
        "[a]: ",
        "[a]",
        "    ",
        "\t",
        "=",
        "---\n",
        "<textarea>",
        "<title>",
        "<noscript>",
    ];

    proptest! {
        #[test]
        fn anything_renders_to_allowed_tags_only(source in "\\PC{0,200}|(?s).{0,200}") {
            assert_safe(&source);
        }

        #[test]
        fn hostile_pieces_render_to_allowed_tags_only(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)
        ) {
            assert_safe(&pieces.concat());
        }
    }
}
