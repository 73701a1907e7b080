//! Markdown bodies: rendering to safe HTML, and mentions. Pure functions without a database.

mod mention;
mod render;

pub use mention::mentions;
pub use render::html;

use pulldown_cmark::Options;

/// `CommonMark` with strikethrough. Messages have no tables or footnotes.
const SYNTAX: Options = Options::ENABLE_STRIKETHROUGH;
