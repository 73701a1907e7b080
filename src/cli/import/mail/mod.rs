//! Reads a mail: who wrote it, when, in reply to what, and its text. Pure functions.
//!
//! The reader is our own, because archives contain mail that the parsers of mail servers refuse or lose: of all ages, cut,
//! joined and converted. It keeps what it does not understand as text.

pub mod address;
pub mod body;
pub mod charset;
pub mod content_type;
pub mod date;
pub mod encoded_word;
pub mod fields;
pub mod html;
pub mod message;
pub mod transfer;

pub use message::{ImportedMail, Sender, read};
