//! Texts that users see next to others: single lines, such as names, titles, topics and reasons, and descriptions of
//! several lines.

use unicode_normalization::UnicodeNormalization;

use super::character::{changes_direction, is_control, is_visible, is_visible_text};
use crate::error::Problem;

/// Validates a single line of at most so many characters, trims it and composes its characters (NFC). Returns none if it
/// is blank. A line contains no characters that control devices, begin a line or change the direction of the text
/// around them, and at least one that is visible.
pub fn line(
    field: &str,
    max_chars: usize,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let message = "Use one line, without control characters and without characters that change the direction of text.";
    validated((field, max_chars), text, problems, is_control, message)
}

/// Validates a text of several lines like [`line()`].
pub fn lines(
    field: &str,
    max_chars: usize,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let is_refused = |char| char != '\n' && is_control(char);
    let message = "Use no control characters except line breaks, and no characters that change the direction of text.";
    validated((field, max_chars), &text, problems, is_refused, message)
}

fn validated(
    (field, max_chars): (&str, usize),
    text: &str,
    problems: &mut Vec<Problem>,
    is_refused: impl Fn(char) -> bool,
    message: &str,
) -> Option<String> {
    let text: String = text.trim().nfc().collect();
    if text.chars().count() > max_chars {
        let message = format!("Use at most {max_chars} characters.");
        problems.push(Problem::new(field, "TOO_LONG", message));
    }
    if text
        .chars()
        .any(|char| is_refused(char) || changes_direction(char))
    {
        problems.push(Problem::new(field, "INVALID", message));
    } else if !(text.is_empty() || is_visible_text(&text)) {
        let message = "Use at least one character that is visible.";
        problems.push(Problem::new(field, "INVALID", message));
    }
    Some(text).filter(|text| !text.is_empty())
}

/// Reduces a text from elsewhere to a line that [`line()`] accepts: NFC, without control characters and marks that change
/// the direction of the text around them, with single spaces, and cut to this number of characters. None if no character
/// of it is visible.
#[must_use]
pub fn visible_line(text: &str, max_chars: usize) -> Option<String> {
    let is_separator = |char: char| char.is_whitespace() || is_control(char);
    let words: Vec<String> = text
        .split(is_separator)
        .map(|word| {
            word.nfc()
                .filter(|char| !changes_direction(*char))
                .collect()
        })
        .filter(|word: &String| !word.is_empty())
        .collect();
    let line: String = words.join(" ").nfc().take(max_chars).collect();
    let line = line.trim_end();
    line.chars().any(is_visible).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        let mut problems = vec![];
        line("title", 80, text, &mut problems);
        problems.into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn a_line_is_visible_and_has_one_direction() {
        for text in [
            "Ann Lee",
            "",
            "  ",
            "\u{a0}",
            "👩\u{200d}👩\u{200d}👧",
            "می\u{200c}خواهم",
            "שלום",
            "🏴\u{e0067}\u{e0062}\u{e007f}",
            "❤\u{fe0f}",
            "\u{600}",
            "🫩",
            &"🧶".repeat(80),
            &"e\u{301}".repeat(80),
        ] {
            assert_eq!(codes(text), Vec::<&str>::new(), "{text:?}");
        }
        for blank in [
            "\u{200b}",
            "\u{2060}\u{feff}",
            "\u{ad}",
            "\u{34f}",
            "\u{3164}",
            "\u{ffa0}",
            "\u{115f}\u{1160}",
            "\u{2800}",
            "\u{180e}",
            "\u{fe0f}",
            "\u{e0101}",
            "\u{e0041}\u{e007f}",
            "\u{17b4}",
            "\u{1d159}",
            "\u{1d173}",
            "\u{fff9}",
            "\u{ffff}",
            "\u{200b} \u{200b}",
        ] {
            assert_eq!(codes(blank), ["INVALID"], "{blank:?}");
        }
        for char in [
            '\n', '\r', '\t', '\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{85}', '\u{b}', '\u{c}',
            '\u{2028}', '\u{2029}', '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}',
            '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
        ] {
            assert_eq!(codes(&format!("a{char}b")), ["INVALID"], "{char:?}");
        }
        assert_eq!(codes(&"🧶".repeat(81)), ["TOO_LONG"]);
        assert_eq!(
            line("title", 80, " U\u{308} ", &mut vec![]).as_deref(),
            Some("Ü")
        );
        let mut problems = vec![];
        assert_eq!(
            lines("bio", 80, "a\r\n\nb", &mut problems).as_deref(),
            Some("a\n\nb")
        );
        assert_eq!(problems, []);
        lines("bio", 80, "a\u{202e}b", &mut problems);
        lines("bio", 80, "a\u{2028}b", &mut problems);
        lines("bio", 80, "\u{200b}\n\u{200b}", &mut problems);
        assert_eq!(problems.len(), 3);
    }

    #[test]
    fn lines_are_reduced_to_what_is_visible() {
        for (text, line) in [
            ("  Ann\t\n Lee ", Some("Ann Lee")),
            ("Ann\u{202e}gnp.exe", Some("Anngnp.exe")),
            ("A\0nn\u{2028}x", Some("A nn x")),
            ("U\u{308}", Some("Ü")),
            ("👩\u{200d}💻", Some("👩\u{200d}💻")),
            ("\u{200b}", None),
            ("\u{2800}\u{3164}", None),
            (" ", None),
            ("", None),
        ] {
            assert_eq!(visible_line(text, 80).as_deref(), line, "{text:?}");
        }
        assert_eq!(visible_line("Ann Lee", 4).as_deref(), Some("Ann"));
    }

    proptest! {
        #[test]
        fn a_reduced_line_is_accepted(text in "\\PC{0,90}|(?s).{0,90}|[ a\u{301}\u{202e}\u{200b}\u{2028}\n]{0,90}") {
            if let Some(reduced) = visible_line(&text, 80) {
                prop_assert_eq!(codes(&reduced), Vec::<&str>::new());
                prop_assert_eq!(visible_line(&reduced, 80), Some(reduced.clone()));
                prop_assert_eq!(line("title", 80, &reduced, &mut vec![]), Some(reduced));
            }
        }
    }
}
