//! Texts: Markdown bodies, rendered to safe HTML, their mentions, plain text and single lines. Functions without a
//! database.

mod html_cache;
mod line;
mod mention;
mod plain;
mod render;

pub use html_cache::html;
pub use line::visible_line;
pub use mention::mentions;
pub use plain::{code_block, escape_markdown};
pub use render::MAX_SOURCE_BYTES;

use pulldown_cmark::Options;

/// `CommonMark` with strikethrough. Messages have no tables or footnotes.
const SYNTAX: Options = Options::ENABLE_STRIKETHROUGH;
