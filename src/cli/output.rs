//! Writes to standard output and standard error. A closed pipe (`heddle … | head`) is not an error.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints a line of the result.
pub fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints text of the result without a line end.
pub fn text(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Prints an error.
pub fn print_error(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "heddle: {text}");
}
