//! Tests of what a message shows: its links, its text and its mentions.

use proptest::prelude::*;

use super::{
    character::{is_visible, is_visible_text},
    mention::find,
    mentions,
    render::html,
};

#[test]
fn bare_urls_become_links() {
    let link =
        |url: &str| format!("<a href=\"{url}\" rel=\"nofollow noopener noreferrer\">{url}</a>");
    for (source, url) in [
        ("see {}.", "https://example.com/a"),
        ("({})", "https://example.com/a"),
        ("{} is", "https://en.example.org/wiki/Mercury_(planet)"),
        ("{}", "https://example.com/*a*"),
        ("{}", "https://example.com/__init__.py"),
        ("{}", "https://example.com/~~a~~"),
        ("{}/", "http://[2001:db8::1]:8080"),
        ("**bold {} too**", "https://example.com/a_b_c"),
        ("# {}", "https://example.com/a"),
        ("- {}", "https://example.com/a"),
        ("> {}", "https://example.com/a"),
        ("- [ ] {}", "https://example.com/a"),
        ("<b>{}</b>", "https://example.com/a"),
        ("<div>\n{}\n</div>", "https://example.com/a"),
        ("[x]: {}", "https://example.com/a"),
        ("a\\\\{}", "https://example.com/a"),
    ] {
        let html = html(&source.replace("{}", url));
        assert!(
            html.contains(&link(url)) || html.contains(&link(&format!("{url}/"))),
            "{source} gave {html}"
        );
    }
    assert_eq!(
        html("**https://example.com/** _https://example.com/a_b_"),
        "<p><strong><a href=\"https://example.com/\" rel=\"nofollow noopener noreferrer\">https://example.com/</a>\
         </strong> <em><a href=\"https://example.com/a_b\" rel=\"nofollow noopener noreferrer\">\
         https://example.com/a_b</a></em></p>\n"
    );
    for source in [
        "`https://example.com`",
        "```\nhttps://example.com\n```",
        "    https://example.com",
    ] {
        assert!(!html(source).contains("<a "), "{source}");
    }
    assert_eq!(
        html("[https://a.example](https://b.example)")
            .matches("<a ")
            .count(),
        1
    );
    assert!(html("[a]\n\n[a]: https://b.example").contains("<a href=\"https://b.example\""));
    assert!(html("https://a.example <heddle:0> <heddle:7>").contains("heddle:0 heddle:7"));
}

#[test]
fn links_show_something_and_keep_their_target() {
    for (source, shown) in [
        (
            "![](https://example.com/cat.png)",
            ">https://example.com/cat.png</a>",
        ),
        (
            "[](https://example.com/page)",
            ">https://example.com/page</a>",
        ),
        (
            "[\u{200b}](https://example.com/page)",
            "https://example.com/page</a>",
        ),
        (
            "[![](https://example.com/cat.png)](https://example.com)",
            ">https://example.com/cat.png</a>",
        ),
        (
            "[printer](http://[2001:db8::1]:8080/)",
            "<a href=\"http://[2001:db8::1]:8080/\"",
        ),
        (
            "<http://[2001:db8::1]:8080/>",
            "<a href=\"http://[2001:db8::1]:8080/\"",
        ),
        ("http://[::1]/", "<a href=\"http://[::1]/\""),
        (
            "[a](http://[::1]/b[c]?d)",
            "<a href=\"http://[::1]/b%5Bc%5D?d\"",
        ),
        (
            "[![cat](https://example.com/cat.png)](https://example.com)",
            ">cat (https://example.com/cat.png)</a>",
        ),
        (
            "[![cat](https://example.com/cat.png \"Mia\") too](https://example.com \"home\")",
            ">cat (https://example.com/cat.png \"Mia\") too</a> (home)",
        ),
        (
            "![cat](https://example.com/cat.png \"Mia\")",
            ">cat</a> (Mia)",
        ),
        (
            "![](https://example.com/cat.png \"Mia\")",
            ">https://example.com/cat.png</a> (Mia)",
        ),
        (
            "![a ![b](https://b.example)](https://a.example)",
            ">a b (https://b.example)</a>",
        ),
        ("[a][b]\n\n[b]: https://b.example 'title'", ">a</a> (title)"),
        ("[a](/relative 'title')", "a (/relative \"title\")"),
        ("[a](/relative)", "a (/relative)"),
        ("[a](ftp://example.com)", "a (ftp://example.com)"),
        ("[](/relative)", "<p>/relative</p>"),
        ("a []() b", "a []() b"),
    ] {
        assert!(
            html(source).contains(shown),
            "{source} gave {}",
            html(source)
        );
    }
}

#[test]
fn no_text_is_lost() {
    for (source, shown) in [
        ("[note]: later", "<p>[note]: later</p>\n"),
        (
            "[ann]: hello\n[bob]: hi",
            "<p>[ann]: hello<br>\n[bob]: hi</p>\n",
        ),
        (
            "Hello\n\n[note]: later",
            "<p>Hello</p>\n<p>[note]: later</p>\n",
        ),
        (
            "> [note]: later",
            "<blockquote>\n<p>[note]: later</p>\n</blockquote>\n",
        ),
        ("[a]: b\n[a]: c", "<p>[a]: b<br>\n[a]: c</p>\n"),
        ("#", "<h1>#</h1>\n"),
        ("---", "<p>---</p>\n"),
        ("***", "<p>***</p>\n"),
        (">", "<p>&gt;</p>\n"),
        ("-", "<p>-</p>\n"),
        ("1.", "<p>1.</p>\n"),
        ("```\n```", "<p>```<br>\n```</p>\n"),
        ("&nbsp;", "<p>&amp;nbsp;</p>\n"),
        ("&#8203;", "<p>&amp;#8203;</p>\n"),
        (
            "```hello",
            "<pre><code class=\"language-hello\">```hello</code></pre>\n",
        ),
        (
            "look:\n```rm -rf /",
            "<p>look:</p>\n<p>rm -rf /</p>\n<pre><code></code></pre>\n",
        ),
        ("a\n\n#\n\nb", "<p>a</p>\n<h1>#</h1>\n<p>b</p>\n"),
        (
            "<div>\n a\n b\n</div>",
            "<p>&lt;div&gt;<br>\n a<br>\n b<br>\n&lt;/div&gt;</p>\n",
        ),
        ("a <b\nc>d</b>", "<p>a &lt;b<br>\nc&gt;d&lt;/b&gt;</p>\n"),
        ("<!-- a\n\nb -->", "<p>&lt;!-- a<br>\n<br>\nb --&gt;</p>\n"),
    ] {
        assert_eq!(html(source), shown, "{source}");
    }
}

/// The text that HTML shows, or only that outside of code and links, where mentions are.
fn shown(html: &str, with_code: bool) -> String {
    let mut text = String::new();
    let (mut hidden, mut rest) = (0, html);
    while let Some((head, tail)) = rest.split_once('<') {
        if with_code || hidden == 0 {
            text.push_str(head);
        }
        let (tag, tail) = tail.split_once('>').unwrap_or((tail, ""));
        let name = tag
            .trim_start_matches('/')
            .split(' ')
            .next()
            .unwrap_or_default();
        if matches!(name, "a" | "code") {
            if tag.starts_with('/') {
                hidden -= 1;
            } else {
                hidden += 1;
            }
        }
        text.push('\u{1}');
        rest = tail;
    }
    text.push_str(rest);
    for (entity, char) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, char);
    }
    text
}

const MENTION_PIECES: &[&str] = &[
    "@ann",
    "@Bob.",
    "@ann_",
    "@a.b",
    "@",
    " ",
    " ",
    "\n",
    "\n\n",
    "*",
    "**",
    "_",
    "~~",
    "`",
    "```",
    "> ",
    "- ",
    "1. ",
    "# ",
    "[",
    "]",
    "](",
    ")",
    "](https://x.example/@cid)",
    "](https://x.example/ \"@dan\")",
    "](/x 'title')",
    "[![x](https://y.example/)",
    "]: ",
    "![",
    "<b>",
    "</b>",
    "<div>\n",
    "</div>",
    "<!-- ",
    " -->",
    "<",
    ">",
    "https://x.example/",
    "http://[::1]/",
    "javascript:x",
    "(",
    "&#64;",
    "&amp;",
    "é",
    "你",
    "x",
    ".",
    "-",
    "/",
    ":",
    "    ",
    "<x@ann.example>",
    "\u{200b}",
    "---\n",
    "</",
    "=\"",
    "'",
    "|",
];

proptest! {
    #[test]
    fn what_is_shown_as_a_mention_is_one(
        pieces in prop::collection::vec(prop::sample::select(MENTION_PIECES), 0..30)
    ) {
        let source = pieces.concat();
        let html = html(&source);
        let mut names: Vec<String> = vec![];
        let text = shown(&html, false);
        for range in find(&text) {
            let name = text.get(range).unwrap_or_default().trim_start_matches('@').to_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        prop_assert_eq!(mentions(&source), names, "{:?} gave {:?}", source, html);
    }

    #[test]
    fn every_word_is_shown(
        pieces in prop::collection::vec(prop::sample::select(MENTION_PIECES), 0..30)
    ) {
        let source = pieces.concat();
        let html = html(&source);
        let of = |text: &str| text.chars().filter(|char| char.is_alphanumeric()).collect::<String>();
        // Entities are shown as the characters that they stand for, and numbers of lists as such.
        let source = source.replace("&#64;", "").replace("&amp;", "");
        let is_shown = shown(&html, true).chars().any(is_visible);
        let mut shown = of(&shown(&html, true));
        for char in of(&source).chars().filter(|char| *char != '1') {
            let at = shown.find(char);
            prop_assert!(at.is_some() || html.contains("href") || html.contains("language-"), "{:?} gave {:?}", source, html);
            if let Some(at) = at {
                shown.remove(at);
            }
        }
        let is_visible = is_visible_text(&source);
        prop_assert!(is_shown || !is_visible);
    }

}
