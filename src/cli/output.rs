//! The one place that writes to the terminal. A reader that went away (`heddle … | head`) is no error.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// A line of what was asked for.
pub fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Text of what was asked for, as it is.
pub fn text(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// What went wrong.
pub fn print_error(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "heddle: {text}");
}
