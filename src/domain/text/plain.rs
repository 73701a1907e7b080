//! Converts plain text to Markdown that shows the same text.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::{
    SYNTAX,
    patch::{begins_patch, patch_lines},
};

/// The maximum depth of quotations. Deeper `>` marks are shown as they are.
const MAX_QUOTES: usize = 12;

/// Returns Markdown that renders to this plain text. Most paragraphs need no change; what would be markup is escaped.
/// Quotations remain quotations. Patches and paragraphs whose layout matters become code blocks.
#[must_use]
pub fn escape_markdown(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let converted: Vec<String> = convert(&lines, 0)
        .into_iter()
        .map(|line| line.text)
        .collect();
    converted.join("\n")
}

/// Returns a code block that contains this text.
#[must_use]
pub fn code_block(text: &str) -> String {
    let runs = text.split(|char| char != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default().max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

/// A line of Markdown.
struct Line {
    text: String,
    /// The index of the line that it shows unchanged.
    source: Option<usize>,
}

impl Line {
    const fn new(text: String) -> Self {
        Self { text, source: None }
    }
}

fn convert(lines: &[&str], quotes: usize) -> Vec<Line> {
    let mut converted: Vec<Line> = Vec::with_capacity(lines.len());
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let rest = lines.get(at..).unwrap_or_default();
        let start = at;
        if line.trim().is_empty() {
            converted.push(Line {
                text: String::new(),
                source: Some(at),
            });
            at += 1;
        } else if quotes < MAX_QUOTES && line.starts_with('>') {
            at += count(rest, |line| line.starts_with('>'));
            quote(lines, start..at, quotes, &mut converted);
            // Without a blank line, the text below belongs to the quotation.
            if lines.get(at).is_some_and(|next| !next.trim().is_empty()) {
                converted.push(Line::new(String::new()));
            }
        } else if begins_patch(rest) {
            at += patch_lines(rest);
            push_code(
                &lines.get(start..at).unwrap_or_default().join("\n"),
                &mut converted,
            );
        } else {
            at += paragraph_lines(rest, quotes);
            // Blank lines between paragraphs of code belong to it.
            let is_code = |lines: &[&str]| has_layout(lines);
            if is_code(lines.get(start..at).unwrap_or_default()) {
                loop {
                    let blank = count(lines.get(at..).unwrap_or_default(), |line| {
                        line.trim().is_empty()
                    });
                    let below = lines.get(at + blank..).unwrap_or_default();
                    let next = paragraph_lines(below, quotes);
                    if next == 0 || !is_code(below.get(..next).unwrap_or_default()) {
                        break;
                    }
                    at += blank + next;
                }
                push_code(
                    &lines.get(start..at).unwrap_or_default().join("\n"),
                    &mut converted,
                );
            } else {
                paragraph(lines, start..at, &mut converted);
            }
        }
    }
    converted
}

fn count(lines: &[&str], is_counted: impl Fn(&str) -> bool) -> usize {
    lines.iter().take_while(|line| is_counted(line)).count()
}

/// Returns the number of lines of the paragraph at the start.
fn paragraph_lines(lines: &[&str], quotes: usize) -> usize {
    let ends = |at: usize, line: &str| {
        line.trim().is_empty()
            || quotes < MAX_QUOTES && line.starts_with('>')
            || begins_patch(lines.get(at..).unwrap_or_default())
    };
    lines
        .iter()
        .enumerate()
        .take_while(|(at, line)| !ends(*at, line))
        .count()
}

fn quote(lines: &[&str], range: std::ops::Range<usize>, quotes: usize, converted: &mut Vec<Line>) {
    let start = range.start;
    let marked = lines.get(range).unwrap_or_default();
    let unmarked = |line: &&'_ str| -> (usize, usize) {
        let mark = if line.starts_with("> ") { 2 } else { 1 };
        (mark, line.len())
    };
    let inner: Vec<&str> = marked
        .iter()
        .map(|line| line.get(unmarked(line).0..).unwrap_or_default())
        .collect();
    for line in convert(&inner, quotes + 1) {
        let original = line.source.and_then(|at| marked.get(at));
        converted.push(match original {
            Some(original) => Line {
                text: original.trim_end().to_owned(),
                source: line.source.map(|at| start + at),
            },
            None => Line::new(format!("> {}", line.text).trim_end().to_owned()),
        });
    }
}

fn paragraph(lines: &[&str], range: std::ops::Range<usize>, converted: &mut Vec<Line>) {
    let start = range.start;
    let trimmed: Vec<&str> = lines
        .get(range)
        .unwrap_or_default()
        .iter()
        .map(|line| line.trim_matches([' ', '\t']))
        .collect();
    let text = trimmed.join("\n");
    if shows(&text, &text) {
        converted.extend(trimmed.iter().enumerate().map(|(at, line)| Line {
            text: (*line).to_owned(),
            source: Some(start + at),
        }));
        return;
    }
    let escaped: Vec<String> = trimmed.iter().map(|line| escape(line)).collect();
    if shows(&escaped.join("\n"), &text) {
        converted.extend(escaped.into_iter().map(Line::new));
    } else {
        push_code(&text, converted);
    }
}

fn push_code(text: &str, converted: &mut Vec<Line>) {
    let block = code_block(text);
    converted.extend(block.split('\n').map(|line| Line::new(line.to_owned())));
}

/// Whether this Markdown is one paragraph that shows this text.
fn shows(markdown: &str, text: &str) -> bool {
    let mut shown = String::with_capacity(text.len());
    for event in Parser::new_ext(markdown, SYNTAX) {
        match event {
            Event::Text(text) => shown.push_str(&text),
            Event::SoftBreak => shown.push('\n'),
            Event::Start(Tag::Paragraph) if shown.is_empty() => {}
            Event::End(TagEnd::Paragraph) => {}
            _ => return false,
        }
    }
    shown == text
}

/// Escapes all characters of a line that may be markup.
fn escape(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len() + 8);
    let digits = line.len()
        - line
            .trim_start_matches(|char: char| char.is_ascii_digit())
            .len();
    for (at, char) in line.char_indices() {
        let is_markup = match char {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '&' | '!' => true,
            '#' | '+' | '-' | '=' | '|' => at == 0,
            '.' | ')' => at == digits && digits > 0,
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// Whether the layout of a paragraph matters: it has indented lines, or columns. A first line that alone is indented is
/// the style of a paragraph.
fn has_layout(lines: &[&str]) -> bool {
    let is_indented =
        |line: &str| line.starts_with("  ") || line.starts_with('\t') || line.starts_with(" \t");
    let has_columns = |line: &str| line.trim().contains("   ") || line.trim().contains('\t');
    let indented = count_all(lines, is_indented);
    let is_style =
        indented == 1 && lines.len() > 1 && lines.first().is_some_and(|line| is_indented(line));
    indented > 0 && !is_style || count_all(lines, has_columns) > 0
}

fn count_all(lines: &[&str], is_counted: impl Fn(&str) -> bool) -> usize {
    lines.iter().filter(|line| is_counted(line)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;
    use crate::domain::text::render::html;

    /// Returns the text that a reader sees, with the lines of the source.
    fn shown(markdown: &str) -> String {
        let text = Regex::new("<[^>]*>")
            .unwrap()
            .replace_all(&html(markdown), "")
            .into_owned();
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&nbsp;", "\u{a0}")
            .replace("&amp;", "&");
        words(&text)
    }

    fn words(text: &str) -> String {
        text.split([' ', '\n', '\t', '\r', '\x0c'])
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn ordinary_text_is_not_changed() {
        for text in [
            "Hello,\nthis is text. It costs 5 * 3 euros, a_b_c & so on.",
            "> quoted\n>> deeper\n\nanswer [1] (see snake_case)",
            "[PATCH] x: a*b",
            "see http://example.com/a_b?c=d&e=f",
            "-- \nAnn".trim_end(),
            "one\n\n\ntwo",
        ] {
            let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
            assert_eq!(escape_markdown(text), lines.join("\n"));
        }
    }

    #[test]
    fn markup_is_escaped() {
        for (text, markdown) in [
            ("int __init__(a*b*c)", "int \\_\\_init\\_\\_(a\\*b\\*c)"),
            ("1986. That was a year.", "1986\\. That was a year."),
            ("# no title", "\\# no title"),
            ("- no list", "\\- no list"),
            ("text\n---", "text\n\\---"),
            ("a <b>x</b> &amp;", "a \\<b\\>x\\</b\\> \\&amp;"),
            ("[a]: http://example.com", "\\[a\\]: http://example.com"),
            ("`a` \\* ~~b~~", "\\`a\\` \\\\\\* \\~\\~b\\~\\~"),
            ("end\\\nnext", "end\\\\\nnext"),
            ("> 1. quoted\nanswer", "> 1\\. quoted\n\nanswer"),
        ] {
            assert_eq!(escape_markdown(text), markdown);
        }
    }

    #[test]
    fn patches_and_layout_become_code() {
        let patch = "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@\n-removed\n+added\n \n \tkept";
        assert_eq!(
            escape_markdown(&format!("See below.\n{patch}\n\nAnn")),
            format!("See below.\n```\n{patch}\n```\n\nAnn")
        );
        assert_eq!(
            escape_markdown("int f()\n{\n\treturn 1;\n}\n\n    x = \"```\";"),
            "````\nint f()\n{\n\treturn 1;\n}\n\n    x = \"```\";\n````"
        );
        assert_eq!(
            escape_markdown("   A paragraph\nof text"),
            "A paragraph\nof text"
        );
        assert_eq!(escape_markdown(">   a  b"), "> ```\n>   a  b\n> ```");
    }

    const PIECES: &[&str] = &[
        "a",
        "b ",
        " ",
        "  ",
        "    ",
        "\t",
        "\n",
        "\n",
        "\n\n",
        "> ",
        ">",
        "- ",
        "1. ",
        "12) ",
        "# ",
        "---",
        "===",
        "+ ",
        "* ",
        "*",
        "**",
        "_",
        "__",
        "`",
        "```",
        "~~",
        "~",
        "~~~",
        "[",
        "]",
        "](",
        "[a]: b",
        "<",
        ">",
        "<b>",
        "<!--",
        "-->",
        "<?",
        "&amp;",
        "&#65;",
        "&",
        "\\",
        "!",
        "![",
        "|",
        "http://x.example/a_b_",
        "@ann",
        "+++ b\n",
        "--- a\n",
        "@@ -1 +1 @@",
        "<script>",
        "</script>",
        "é",
        "<a@b.example>",
        "---\n",
        "|---|",
    ];

    proptest! {
        #[test]
        fn text_is_shown_as_it_is(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..30)) {
            let text = pieces.concat();
            let markdown = escape_markdown(&text);
            // Marks of quotations are shown as such.
            let unquoted = |text: &str| text.replace('>', " ");
            prop_assert_eq!(words(&unquoted(&shown(&markdown))), words(&unquoted(&text)), "{:?}", markdown);
            let html = html(&markdown);
            for tag in ["<strong>", "<em>", "<li>", "<h1>", "<h2>", "<hr>", "<del>"] {
                prop_assert!(!html.contains(tag), "{} in {}", tag, html);
            }
        }

        #[test]
        fn any_text_is_shown(text in "(?s)[ -~\n]{0,200}") {
            let markdown = escape_markdown(&text);
            let unquoted = |text: &str| text.replace('>', " ");
            prop_assert_eq!(words(&unquoted(&shown(&markdown))), words(&unquoted(&text)), "{:?}", markdown);
        }
    }
}
