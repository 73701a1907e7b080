//! Converts HTML and text/enriched to plain text.

use std::cell::RefCell;

use html5ever::{
    TokenizerResult,
    buffer_queue::BufferQueue,
    tokenizer::{
        Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states::RawKind,
    },
};

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "center",
    "dd",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "header",
    "hr",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "option",
    "section",
    "table",
    "tr",
    "ul",
];

/// Elements with a blank line above and below.
const PARAGRAPHS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "blockquote",
    "table",
    "ul",
    "ol",
    "dl",
];

/// Elements whose text is not shown.
const HIDDEN: &[&str] = &[
    "script", "style", "title", "template", "noframes", "iframe", "noembed",
];

/// The state while the text is collected.
#[derive(Default)]
struct Collected {
    text: String,
    /// Line breaks to write before the next character.
    breaks: usize,
    /// Whether to write a space before the next character.
    space: bool,
    hidden: usize,
    pre: usize,
    quotes: usize,
    /// The targets of the open links.
    links: Vec<(usize, Option<String>)>,
}

#[derive(Default)]
struct Sink(RefCell<Collected>);

/// Returns the text of an HTML document. Links keep their addresses, quotations get `>` marks.
#[must_use]
pub fn html_to_text(source: &str) -> String {
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(source.into());
    while let TokenizerResult::Script(()) | TokenizerResult::EncodingIndicator(_) =
        tokenizer.feed(&input)
    {}
    tokenizer.end();
    tokenizer.sink.0.into_inner().text
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut collected = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => collected.write(&text),
            Token::TagToken(tag) => return collected.read_tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Collected {
    fn read_tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        let is_start = tag.kind == TagKind::StartTag;
        if HIDDEN.contains(&name) {
            self.hidden = if is_start {
                self.hidden + 1
            } else {
                self.hidden.saturating_sub(1)
            };
            return match (is_start, name) {
                (true, "script") => TokenSinkResult::RawData(RawKind::ScriptData),
                (true, "title") => TokenSinkResult::RawData(RawKind::Rcdata),
                (true, "style" | "noframes" | "iframe" | "noembed") => {
                    TokenSinkResult::RawData(RawKind::Rawtext)
                }
                _ => TokenSinkResult::Continue,
            };
        }
        if name == "br" {
            self.breaks += 1;
        } else if PARAGRAPHS.contains(&name) {
            self.breaks = self.breaks.max(2);
        } else if BLOCKS.contains(&name) {
            self.breaks = self.breaks.max(1);
        }
        let count = |open: usize| {
            if is_start {
                open + 1
            } else {
                open.saturating_sub(1)
            }
        };
        match name {
            "pre" => self.pre = count(self.pre),
            "blockquote" => self.quotes = count(self.quotes),
            "td" | "th" if is_start => self.space = true,
            "li" if is_start => self.write("\u{2022} "),
            "hr" => self.write("----------"),
            "img" => {
                if let Some(alternative) = attribute(tag, "alt") {
                    self.write(&alternative);
                }
            }
            "a" if is_start => self.links.push((self.text.len(), attribute(tag, "href"))),
            "a" => self.close_link(),
            _ => {}
        }
        if name == "hr" {
            self.breaks = self.breaks.max(1);
        }
        TokenSinkResult::Continue
    }

    /// Writes the address of a link after its text, unless that is the address.
    fn close_link(&mut self) {
        let Some((start, Some(target))) = self.links.pop() else {
            return;
        };
        let is_target = ["http://", "https://", "ftp://"]
            .iter()
            .any(|scheme| target.starts_with(scheme));
        let shown = self.text.get(start..).unwrap_or_default().trim();
        let bare = |text: &str| {
            let text = text.split_once("://").map_or(text, |(_, rest)| rest);
            text.trim_end_matches('/').to_lowercase()
        };
        if is_target && bare(shown) != bare(&target) {
            let text = if shown.is_empty() {
                target
            } else {
                format!(" <{target}>")
            };
            self.write(&text);
        }
    }

    fn write(&mut self, text: &str) {
        if self.hidden > 0 {
            return;
        }
        for char in text.chars() {
            let is_space = matches!(char, ' ' | '\t' | '\n' | '\r' | '\x0c');
            if is_space && self.pre == 0 {
                self.space = true;
            } else if char == '\n' {
                self.breaks += 1;
            } else if char != '\r' {
                self.write_char(char);
            }
        }
    }

    fn write_char(&mut self, char: char) {
        if self.breaks > 0 || self.text.is_empty() {
            let breaks = if self.text.is_empty() { 0 } else { self.breaks };
            let marks = ">".repeat(self.quotes.min(20));
            for at in 0..breaks {
                self.text.push('\n');
                if at + 1 < breaks {
                    self.text.push_str(&marks);
                }
            }
            if !marks.is_empty() {
                self.text.push_str(&marks);
                self.text.push(' ');
            }
            self.breaks = 0;
            self.space = false;
        }
        if self.space {
            self.text.push(' ');
            self.space = false;
        }
        // A space that does not break lines is one for a reader of plain text.
        self.text.push(if char == '\u{a0}' { ' ' } else { char });
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    let found = tag
        .attrs
        .iter()
        .find(|attribute| &*attribute.name.local == name)?;
    let value = found.value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Returns the text of text/enriched (RFC 1896) or of its predecessor, text/richtext.
#[must_use]
pub fn enriched_to_text(source: &str) -> String {
    let source = source.replace("\r\n", "\n");
    let mut text = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        if let Some(tail) = after.strip_prefix('<') {
            text.push('<');
            rest = tail;
            continue;
        }
        let Some((command, tail)) = after.split_once('>') else {
            text.push('<');
            rest = after;
            continue;
        };
        rest = match command.to_ascii_lowercase().as_str() {
            "param" => tail.split_once("</param>").map_or("", |(_, tail)| tail),
            "nl" | "/paragraph" => {
                text.push('\n');
                tail
            }
            "lt" => {
                text.push('<');
                tail
            }
            _ => tail,
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_becomes_text() {
        for (source, text) in [
            (
                "<html><head><title>t</title></head><body><p>Hello <b>you</b></p><script>x('</p>')</script></body></html>",
                "Hello you",
            ),
            ("<div>one</div><div>two</div>", "one\ntwo"),
            ("<p>one</p>\n\n<p>two<br>three", "one\n\ntwo\nthree"),
            (
                "a &amp; b &lt;c&gt; &euro; &#8364;&nbsp;5",
                "a & b <c> € € 5",
            ),
            (
                "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
                "a b\nc",
            ),
            ("<ul><li>one</li><li>two</li></ul>", "• one\n• two"),
            ("<pre>if (a)\n    b();</pre>", "if (a)\n    b();"),
            (
                "see <a href=\"https://example.com/a\">this</a>, <a href='https://example.com'>example.com</a>",
                "see this <https://example.com/a>, example.com",
            ),
            (
                "<blockquote>quoted<br>text</blockquote>new",
                "> quoted\n> text\n\nnew",
            ),
            ("<img alt=\"a cat\" src=x><!-- <p>no</p> -->", "a cat"),
            ("1 < 2 and a<b", "1 < 2 and a"),
            ("<style>p { color: red }</style>text", "text"),
            ("", ""),
        ] {
            assert_eq!(html_to_text(source), text, "{source}");
        }
    }

    #[test]
    fn enriched_text_becomes_text() {
        for (source, text) in [
            ("<bold>text</bold> that counts", "text that counts"),
            ("<color><param>red</param>1 << 2</color>", "1 < 2"),
            ("a <lt> b<nl>c", "a < b\nc"),
            ("1 < 2", "1 < 2"),
        ] {
            assert_eq!(enriched_to_text(source), text, "{source}");
        }
    }

    proptest! {
        #[test]
        fn any_source_becomes_text(source in "(<|>|/|p|a href=|&|pre|blockquote|[a-z \n\"]){0,60}") {
            let _ = html_to_text(&source);
            let _ = enriched_to_text(&source);
        }
    }
}
