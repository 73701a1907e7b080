//! Validates titles and topics, without a database.

use crate::error::Problem;

/// The maximum length of a title, in characters.
const TITLE_MAX: usize = 120;
/// The maximum length of a topic, in characters.
const TOPIC_MAX: usize = 500;

/// Validates a title and trims it.
pub(in crate::domain) fn title(text: &str, problems: &mut Vec<Problem>) -> String {
    let text = text.trim();
    let is_valid = (1..=TITLE_MAX).contains(&text.chars().count());
    let code = if text.is_empty() {
        "TOO_SHORT"
    } else {
        "TOO_LONG"
    };
    let message = format!("Use 1 to {TITLE_MAX} characters.");
    problems.extend(Problem::unless(is_valid, "title", code, message));
    let is_valid = !text.chars().any(char::is_control);
    let message = "Use one line without control characters.";
    problems.extend(Problem::unless(is_valid, "title", "INVALID", message));
    text.to_owned()
}

/// Validates a topic and trims it. Returns none if it is blank.
pub(super) fn topic(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = text.trim();
    let is_valid = text.chars().count() <= TOPIC_MAX;
    let message = format!("Use at most {TOPIC_MAX} characters.");
    problems.extend(Problem::unless(is_valid, "topic", "TOO_LONG", message));
    let is_valid = !text.chars().any(|char| char.is_control() && char != '\n');
    let message = "Use no control characters except line breaks.";
    problems.extend(Problem::unless(is_valid, "topic", "INVALID", message));
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
