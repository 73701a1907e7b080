//! Validates titles and topics, without a database.

use crate::error::Problem;

/// The maximum length of a title, in characters.
const TITLE_MAX: usize = 120;
/// The maximum length of a topic, in characters.
const TOPIC_MAX: usize = 500;

/// Validates a title and trims it.
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
            "Use one line without control characters.",
        ));
    }
    text.to_owned()
}

/// Validates a topic and trims it. Returns none if it is blank.
pub(super) fn topic(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = text.trim();
    if text.chars().count() > TOPIC_MAX {
        problems.push(Problem::new(
            "topic",
            "TOO_LONG",
            format!("Use at most {TOPIC_MAX} characters."),
        ));
    }
    if text.chars().any(|char| char.is_control() && char != '\n') {
        problems.push(Problem::new(
            "topic",
            "INVALID",
            "Use no control characters except line breaks.",
        ));
    }
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
