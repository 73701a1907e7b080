//! Validates titles and topics, without a database.

use crate::{domain::text, error::Problem};

/// The maximum length of a title, in characters.
const TITLE_MAX: usize = 120;
/// The maximum length of a topic, in characters.
const TOPIC_MAX: usize = 500;

/// Validates a title, which must not be blank.
pub(in crate::domain) fn title(text: &str, problems: &mut Vec<Problem>) -> String {
    let title = text::line("title", TITLE_MAX, text, problems);
    let message = format!("Use 1 to {TITLE_MAX} characters.");
    problems.extend(Problem::unless(
        title.is_some(),
        "title",
        "TOO_SHORT",
        message,
    ));
    title.unwrap_or_default()
}

/// Validates a topic. Returns none if it is blank.
pub(super) fn topic(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    text::line("topic", TOPIC_MAX, text, problems)
}
