//! Texts: Markdown bodies, rendered to safe HTML, their mentions, plain text, single lines, and the forms in which names
//! and addresses are compared. Functions without a database.

mod address;
mod caseless;
mod character;
mod hex;
mod html_cache;
mod line;
mod link;
mod mention;
mod patch;
mod plain;
mod render;
mod shown;
#[cfg(test)]
mod shown_tests;
mod source;

pub use address::{email_address, email_key};
pub use caseless::caseless;
pub use character::is_visible_text;
pub use hex::hex;
pub use html_cache::html;
pub use line::{line, lines, visible_line};
pub use plain::{code_block, escape_markdown};
pub use shown::{MAX_SOURCE_BYTES, mentions};

use pulldown_cmark::Options;
use unicode_normalization::UnicodeNormalization;

/// `CommonMark` with strikethrough. Messages have no tables or footnotes.
const SYNTAX: Options = Options::ENABLE_STRIKETHROUGH;

/// Returns a text in the form in which it is stored: with composed characters (NFC).
#[must_use]
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}
