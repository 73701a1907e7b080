//! Single lines that users see: names and titles from elsewhere.

use unicode_normalization::UnicodeNormalization;

/// Reduces a text to a line that may be a name: NFC, without control characters and marks that change the direction of
/// the text around them, with single spaces, and cut to this number of characters. None if no character of it is visible.
#[must_use]
pub fn visible_line(text: &str, max_chars: usize) -> Option<String> {
    let is_separator = |char: char| char.is_whitespace() || char.is_control();
    let words: Vec<String> = text
        .split(is_separator)
        .map(|word| {
            word.nfc()
                .filter(|char| !changes_direction(*char))
                .collect()
        })
        .filter(|word: &String| !word.is_empty())
        .collect();
    let line: String = words.join(" ").chars().take(max_chars).collect();
    let line = line.trim_end();
    line.chars().any(is_visible).then(|| line.to_owned())
}

const fn changes_direction(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character has a shape of its own. The others are the spaces, and the characters that Unicode recommends to
/// ignore where they are not supported (`Default_Ignorable_Code_Point`).
fn is_visible(char: char) -> bool {
    let is_ignorable = matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    );
    !(is_ignorable || char.is_whitespace() || char.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
