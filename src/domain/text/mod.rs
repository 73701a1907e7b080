//! What a body of text means: Markdown to safe HTML. Pure; no database.

mod render;

pub use render::html;

use pulldown_cmark::Options;

/// Plain Markdown and strikethrough. Tables, footnotes and the like have no place in a message.
const SYNTAX: Options = Options::ENABLE_STRIKETHROUGH;
