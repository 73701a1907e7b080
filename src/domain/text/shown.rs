//! What a reader sees of a Markdown text, as a stream of events of the parser. The HTML and the mentions of a message are
//! made from the same events, so that they never differ.

use std::{collections::VecDeque, ops::Range};

use pulldown_cmark::{CodeBlockKind, CowStr, Event, LinkType, Parser, Tag, TagEnd};

use super::{
    SYNTAX,
    character::is_visible_text,
    link::{bare_urls, href, is_allowed},
    mention,
    source::PreparedSource,
};

/// The maximum length of rendered Markdown, in bytes. Longer text, such as an imported mail, is shown verbatim.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;

/// The maximum depth of nested elements. Deeper markup is removed and its text kept, so that a line of ten thousand `>`
/// does not create a tree of ten thousand levels.
const MAX_NESTING: usize = 24;

/// The maximum length of the language name of a code block, in bytes.
const MAX_LANGUAGE_BYTES: usize = 32;

type Spans<'a> = Box<dyn Iterator<Item = (Event<'a>, Range<usize>)> + 'a>;

/// The events to show. HTML in the source is text, images are links, and line breaks are kept. An element that would show
/// nothing shows its source.
pub(super) struct Shown<'a> {
    source: &'a PreparedSource<'a>,
    spans: Spans<'a>,
    ready: VecDeque<Event<'a>>,
    /// Text that is not in `ready` yet, and the positions in it of each `@` that is no mention.
    run: String,
    escaped: Vec<usize>,
    /// The number of open elements, and of open links among them.
    depth: usize,
    links: usize,
    is_code: bool,
    /// Whether the end of an element that is nested too deeply separates two texts.
    is_separated: bool,
    /// A bare URL that replaces the next text.
    bare_url: Option<&'a str>,
    /// How many visible texts were read.
    texts: usize,
    /// The open links, images, headings and code blocks.
    open: Vec<OpenElement<'a>>,
    mentions: Vec<String>,
}

/// An element that shows something else if it has no text.
struct OpenElement<'a> {
    texts_before: usize,
    substitute: String,
    /// For a link: whether it counts in `links`, and whether it is the outermost one.
    is_counted: bool,
    is_anchor: bool,
    /// The target that is shown behind the text, because nothing leads there.
    target: Option<CowStr<'a>>,
    /// The title, which is shown behind the text.
    title: CowStr<'a>,
}

impl OpenElement<'_> {
    const fn block(texts_before: usize, substitute: String) -> Self {
        Self {
            texts_before,
            substitute,
            is_counted: false,
            is_anchor: false,
            target: None,
            title: CowStr::Borrowed(""),
        }
    }
}

impl<'a> Shown<'a> {
    /// Returns what is shown of a text. If none of it is visible, the text is shown as it was written.
    pub(super) fn new(source: &'a PreparedSource<'a>) -> Self {
        if source.original.len() > MAX_SOURCE_BYTES {
            return Self::of(source, verbatim(source.original));
        }
        let parser = Parser::new_ext(&source.text, SYNTAX).into_offset_iter();
        let mut shown = Self::of(source, Box::new(parser));
        while shown.texts == 0 {
            if !shown.advance() {
                return Self::of(source, as_written(source.original));
            }
        }
        shown
    }

    fn of(source: &'a PreparedSource<'a>, spans: Spans<'a>) -> Self {
        Self {
            source,
            spans,
            ready: VecDeque::new(),
            run: String::new(),
            escaped: vec![],
            depth: 0,
            links: 0,
            is_code: false,
            is_separated: false,
            bare_url: None,
            texts: 0,
            open: vec![],
            mentions: vec![],
        }
    }

    /// Returns the names of the mentions, in lower case.
    pub(super) fn mentions(mut self) -> Vec<String> {
        while self.mentions.len() < mention::MAX_MENTIONS && self.next().is_some() {}
        self.mentions
    }

    /// Reads the next event. False at the end.
    fn advance(&mut self) -> bool {
        let Some((event, range)) = self.spans.next() else {
            self.flush();
            return false;
        };
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(end) => self.end(end),
            Event::Text(text) => self.text(text, range.start),
            Event::Html(text) | Event::InlineHtml(text) => self.push_text(&text),
            Event::SoftBreak | Event::HardBreak => self.push(Event::HardBreak),
            Event::Code(code) => {
                self.separate();
                self.texts += usize::from(is_visible_text(&code));
                self.push(Event::Code(code));
            }
            other => self.push(other),
        }
        true
    }

    fn text(&mut self, text: CowStr<'a>, start: usize) {
        if self.is_code {
            self.texts += usize::from(is_visible_text(&text));
            self.ready.push_back(Event::Text(text));
        } else if let Some(url) = self.bare_url.take() {
            self.push_text(url);
        } else {
            self.separate();
            let before = start.checked_sub(1);
            let before = before.and_then(|at| self.source.text.as_bytes().get(at));
            if text.starts_with('@') && before == Some(&b'\\') {
                self.escaped.push(self.run.len());
            }
            self.add(&text);
        }
    }

    fn push_text(&mut self, text: &str) {
        self.separate();
        self.add(text);
    }

    fn add(&mut self, text: &str) {
        self.texts += usize::from(is_visible_text(text));
        self.run.push_str(text);
    }

    fn separate(&mut self) {
        if std::mem::take(&mut self.is_separated) {
            self.run.push('\n');
        }
    }

    /// Adds an event after the text that is not shown yet.
    fn push(&mut self, event: Event<'a>) {
        self.flush();
        self.ready.push_back(event);
    }

    fn start(&mut self, tag: Tag<'a>, range: &Range<usize>) {
        self.depth += 1;
        let is_shown = self.depth <= MAX_NESTING;
        match tag {
            Tag::Link {
                dest_url,
                link_type,
                title,
                ..
            }
            | Tag::Image {
                dest_url,
                link_type,
                title,
                ..
            } => self.start_link((dest_url, title), link_type, range, is_shown),
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) if !info.is_empty() => {
                let written = self.written(range);
                self.start_code(info, written, is_shown);
            }
            Tag::CodeBlock(_) => self.start_code("".into(), String::new(), is_shown),
            tag => {
                if matches!(tag, Tag::Heading { .. }) {
                    let written = self.written(range);
                    self.open.push(OpenElement::block(self.texts, written));
                }
                if is_shown {
                    self.is_separated = false;
                    self.push(Event::Start(match tag {
                        Tag::HtmlBlock => Tag::Paragraph,
                        other => other,
                    }));
                } else if !is_inline(tag.to_end()) {
                    self.is_separated = self.texts > 0;
                }
            }
        }
    }

    fn written(&self, range: &Range<usize>) -> String {
        let written = self.source.text.get(range.clone());
        written.unwrap_or_default().trim().to_owned()
    }

    fn start_link(
        &mut self,
        (target, title): (CowStr<'a>, CowStr<'a>),
        kind: LinkType,
        range: &Range<usize>,
        is_shown: bool,
    ) {
        let bare_url = self.source.url(&target, range);
        let target = match (bare_url, kind) {
            (Some(url), _) => CowStr::Borrowed(url),
            (None, LinkType::Email) => format!("mailto:{target}").into(),
            (None, _) => target,
        };
        if kind == LinkType::Autolink {
            self.bare_url = bare_url;
        }
        let can_follow = is_shown && is_allowed(&target);
        let is_anchor = can_follow && self.links == 0;
        let is_counted = can_follow || self.links > 0;
        if is_anchor {
            let anchor = format!("<a href=\"{}\">", href(&target));
            self.push(Event::InlineHtml(anchor.into()));
        }
        self.links += usize::from(is_counted);
        let substitute = if target.is_empty() {
            self.written(range)
        } else {
            target.to_string()
        };
        let is_own_text = matches!(kind, LinkType::Autolink | LinkType::Email);
        self.open.push(OpenElement {
            texts_before: self.texts,
            substitute,
            is_counted,
            is_anchor,
            target: Some(target).filter(|_| !(is_anchor || is_own_text)),
            title,
        });
    }

    /// Begins a code block. An info string that is not the name of a language is shown above it.
    fn start_code(&mut self, info: CowStr<'a>, written: String, is_shown: bool) {
        let is_language = info.is_empty() || is_language(&info);
        if !is_language {
            if is_shown {
                self.push(Event::Start(Tag::Paragraph));
            }
            self.push_text(&info);
            if is_shown {
                self.push(Event::End(TagEnd::Paragraph));
            }
        }
        let substitute = if is_language { written } else { String::new() };
        self.open.push(OpenElement::block(self.texts, substitute));
        if is_shown {
            self.is_code = true;
            let language = if is_language { info } else { "".into() };
            let kind = CodeBlockKind::Fenced(language);
            self.push(Event::Start(Tag::CodeBlock(kind)));
        } else {
            self.is_separated = self.texts > 0;
        }
    }

    fn end(&mut self, end: TagEnd) {
        if end == TagEnd::HtmlBlock {
            self.run.truncate(self.run.trim_end_matches('\n').len());
        }
        let is_shown = self.depth <= MAX_NESTING;
        self.depth = self.depth.saturating_sub(1);
        match end {
            TagEnd::Link | TagEnd::Image => return self.close_element(),
            TagEnd::CodeBlock | TagEnd::Heading(_) => self.close_element(),
            _ => {}
        }
        if is_shown {
            self.is_code = false;
            self.push(Event::End(match end {
                TagEnd::HtmlBlock => TagEnd::Paragraph,
                other => other,
            }));
        } else {
            self.is_separated = self.is_separated || !is_inline(end);
        }
    }

    /// Ends a link, a heading or a code block: shows the substitute if it has no text; of a link the title, and of one
    /// that cannot be followed the target. An image inside a link cannot be followed, because the link leads elsewhere.
    fn close_element(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let is_empty = self.texts == open.texts_before;
        if is_empty && self.is_code {
            self.texts += usize::from(is_visible_text(&open.substitute));
            self.ready.push_back(Event::Text(open.substitute.into()));
        } else if is_empty {
            self.push_text(&open.substitute);
        }
        if open.is_anchor {
            self.push(Event::InlineHtml("</a>".into()));
        }
        self.links -= usize::from(open.is_counted);
        let target = open
            .target
            .filter(|target| !(is_empty || target.is_empty()));
        let title = Some(open.title).filter(|title| !title.is_empty());
        match (target, title) {
            (Some(target), Some(title)) => self.push_text(&format!(" ({target} \"{title}\")")),
            (Some(only), None) | (None, Some(only)) => self.push_text(&format!(" ({only})")),
            (None, None) => {}
        }
    }

    /// Shows the text that was read: its lines, its URLs and its mentions.
    fn flush(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let run = std::mem::take(&mut self.run);
        let escaped = std::mem::take(&mut self.escaped);
        let urls = if self.links == 0 {
            bare_urls(&run, false)
        } else {
            vec![]
        };
        let mut rest = 0;
        for found in urls {
            self.show(&run, rest..found.range.start, &escaped);
            let anchor = format!("<a href=\"{}\">", href(&found.url));
            self.ready.push_back(Event::InlineHtml(anchor.into()));
            self.ready.push_back(Event::Text(found.url.into()));
            self.ready.push_back(Event::InlineHtml("</a>".into()));
            rest = found.range.end;
        }
        self.show(&run, rest..run.len(), &escaped);
    }

    /// Shows a part of a text without URLs.
    fn show(&mut self, run: &str, part: Range<usize>, escaped: &[usize]) {
        let start = part.start;
        let text = run.get(part).unwrap_or_default();
        if self.links == 0 {
            for name in mention::find(text) {
                if escaped.binary_search(&(start + name.start)).is_err() {
                    self.mention(text.get(name.start + 1..name.end).unwrap_or_default());
                }
            }
        }
        self.push_lines(text);
    }

    fn push_lines(&mut self, text: &str) {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.ready.push_back(Event::HardBreak);
            }
            if !line.is_empty() {
                self.ready.push_back(Event::Text(line.to_owned().into()));
            }
        }
    }

    fn mention(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        if self.mentions.len() < mention::MAX_MENTIONS && !self.mentions.contains(&name) {
            self.mentions.push(name);
        }
    }
}

impl<'a> Iterator for Shown<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        while self.ready.is_empty() && self.advance() {}
        self.ready.pop_front()
    }
}

/// Returns the usernames that a Markdown text mentions: in lower case, each once, in order, at most 50. These are the names
/// that its HTML shows outside of code and links. Email addresses and `\@name` are no mentions.
#[must_use]
pub fn mentions(source: &str) -> Vec<String> {
    if !source.contains('@') && !source.contains("&#") && !source.contains("&commat;") {
        return vec![];
    }
    Shown::new(&PreparedSource::new(source)).mentions()
}

/// The events that show a text as it was written, with its lines.
fn as_written(text: &str) -> Spans<'_> {
    let events = [
        Event::Start(Tag::Paragraph),
        Event::InlineHtml(text.trim_matches('\n').into()),
        Event::End(TagEnd::Paragraph),
    ];
    Box::new(events.into_iter().map(|event| (event, 0..0)))
}

/// The events that show a long text as one block.
fn verbatim(text: &str) -> Spans<'_> {
    let events = [
        Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)),
        Event::Text(text.into()),
        Event::End(TagEnd::CodeBlock),
    ];
    Box::new(events.into_iter().map(|event| (event, 0..0)))
}

const fn is_inline(end: TagEnd) -> bool {
    matches!(
        end,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image
    )
}

/// Whether this is the name of a language, which becomes the class of a code block.
pub(super) fn is_language(name: &str) -> bool {
    (1..=MAX_LANGUAGE_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-_#.".contains(&byte))
}
