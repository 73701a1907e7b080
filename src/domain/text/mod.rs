//! Markdown bodies: rendering to safe HTML, and mentions. Pure functions without a database.

mod html_cache;
mod mention;
mod render;

pub use html_cache::html;
pub use mention::mentions;

use pulldown_cmark::Options;

/// `CommonMark` with strikethrough. Messages have no tables or footnotes.
const SYNTAX: Options = Options::ENABLE_STRIKETHROUGH;
