//! Prepares Markdown for the parser: what it would drop or misread is marked up, so that the reader sees it as it was
//! written. A bare URL is replaced by an automatic link, because its `*` and `_` are no emphasis. A link definition that
//! no link uses is escaped, because it would not be shown.

use std::{borrow::Cow, iter::Peekable, ops::Range, vec::IntoIter};

use pulldown_cmark::{Event, LinkType, Parser, Tag};

use super::{SYNTAX, link::bare_urls};

/// The scheme of the links that replace bare URLs.
const PLACEHOLDER: &str = "heddle:";

/// Markdown to parse.
#[derive(Debug)]
pub(super) struct PreparedSource<'a> {
    /// The text as it was written.
    pub(super) original: &'a str,
    /// The text to parse.
    pub(super) text: Cow<'a, str>,
    /// The bare URLs, with the positions of the links that replace them.
    urls: Vec<(usize, String)>,
}

impl<'a> PreparedSource<'a> {
    pub(super) fn new(original: &'a str) -> Self {
        let mut text = Cow::Borrowed(original);
        if text.contains("]:") {
            text = Cow::Owned(escape_definitions(&text));
        }
        let mut urls = vec![];
        if text.contains("://") {
            text = Cow::Owned(replace_urls(&text, &mut urls));
        }
        Self {
            original,
            text,
            urls,
        }
    }

    /// Returns the bare URL that the link with this target replaces, if it is in this range.
    pub(super) fn url(&self, target: &str, range: &Range<usize>) -> Option<&str> {
        let number: usize = target.strip_prefix(PLACEHOLDER)?.parse().ok()?;
        let (at, url) = self.urls.get(number)?;
        range.contains(at).then_some(url)
    }
}

/// Escapes the colon after every `]` that belongs to no definition in use, and is text.
fn escape_definitions(source: &str) -> String {
    let mut marked_up = MarkedUp::of(source);
    let mut escaped = String::with_capacity(source.len() + 8);
    let mut rest = 0;
    for (at, _) in source.match_indices("]:") {
        if marked_up.is_outside(at..at + 1) {
            escaped.push_str(source.get(rest..=at).unwrap_or_default());
            escaped.push('\\');
            rest = at + 1;
        }
    }
    escaped.push_str(source.get(rest..).unwrap_or_default());
    escaped
}

/// Replaces the bare URLs in text by links, and stores them.
fn replace_urls(source: &str, urls: &mut Vec<(usize, String)>) -> String {
    let mut marked_up = MarkedUp::of(source);
    let mut replaced = String::with_capacity(source.len());
    let mut rest = 0;
    for found in bare_urls(source, true) {
        let is_text = marked_up.is_outside(found.range.clone());
        let before = source.get(rest..found.range.start).unwrap_or_default();
        let backslashes = before
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\\')
            .count();
        if !is_text || backslashes % 2 == 1 {
            continue;
        }
        replaced.push_str(before);
        let number = urls.len();
        urls.push((replaced.len(), found.url));
        replaced.extend(["<", PLACEHOLDER, &number.to_string(), ">"]);
        rest = found.range.end;
    }
    replaced.push_str(source.get(rest..).unwrap_or_default());
    replaced
}

/// Where a text is not plain: code, links, images, HTML and the link definitions in use, in order and without overlaps.
struct MarkedUp(Peekable<IntoIter<Range<usize>>>);

impl MarkedUp {
    fn of(source: &str) -> Self {
        Self(marked_up(source).into_iter().peekable())
    }

    /// Whether this range, which follows those of the earlier calls, is plain text.
    fn is_outside(&mut self, range: Range<usize>) -> bool {
        while self.0.next_if(|next| next.end <= range.start).is_some() {}
        self.0.peek().is_none_or(|next| next.start >= range.end)
    }
}

fn marked_up(source: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = vec![];
    let mut labels = vec![];
    let mut events = Parser::new_ext(source, SYNTAX).into_offset_iter();
    for (event, range) in events.by_ref() {
        let is_marked_up = match event {
            Event::Start(Tag::Link { link_type, id, .. } | Tag::Image { link_type, id, .. }) => {
                use LinkType::{Collapsed, Reference, Shortcut};
                if matches!(link_type, Reference | Collapsed | Shortcut) {
                    labels.push(id);
                }
                true
            }
            Event::Start(Tag::CodeBlock(_) | Tag::HtmlBlock)
            | Event::Code(_)
            | Event::Html(_)
            | Event::InlineHtml(_) => true,
            _ => false,
        };
        if is_marked_up {
            ranges.push(range);
        }
    }
    let definitions = events.reference_definitions();
    let used = labels.iter().filter_map(|label| definitions.get(label));
    ranges.extend(used.map(|definition| definition.span.clone()));
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    ranges.dedup();
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
