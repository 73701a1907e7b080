//! What a body of text means: Markdown to safe HTML and the people it names. Pure; no database.

mod mention;
mod render;

pub use mention::mentions;
pub use render::html;

use pulldown_cmark::Options;

/// Plain Markdown and strikethrough. Tables, footnotes and the like have no place in a message.
const SYNTAX: Options = Options::ENABLE_STRIKETHROUGH;
