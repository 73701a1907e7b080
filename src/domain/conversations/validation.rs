//! What titles and topics may be. No rows.

use crate::error::Problem;

/// Longest title, in characters.
const TITLE_MAX: usize = 120;
/// Longest topic, in characters.
const TOPIC_MAX: usize = 500;

/// A title without the space around it; otherwise a problem.
pub(super) fn title(text: &str, problems: &mut Vec<Problem>) -> String {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > TITLE_MAX {
        problems.push(Problem::new(
            "title",
            if text.is_empty() {
                "TOO_SHORT"
            } else {
                "TOO_LONG"
            },
            format!("Use 1 to {TITLE_MAX} characters."),
        ));
    }
    if text.chars().any(char::is_control) {
        problems.push(Problem::new(
            "title",
            "INVALID",
            "A title is one line without control characters.",
        ));
    }
    text.to_owned()
}

/// A topic without the space around it, nothing when it is blank; otherwise a problem.
pub(super) fn topic(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = text.trim();
    if text.chars().count() > TOPIC_MAX {
        problems.push(Problem::new(
            "topic",
            "TOO_LONG",
            format!("Use at most {TOPIC_MAX} characters."),
        ));
    }
    if text
        .chars()
        .any(|letter| letter.is_control() && letter != '\n')
    {
        problems.push(Problem::new(
            "topic",
            "INVALID",
            "A topic has no control characters but line breaks.",
        ));
    }
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
