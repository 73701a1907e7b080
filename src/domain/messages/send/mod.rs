//! Sending: a root message or a reply, once for each `clientMessageId`.

mod check;
mod queue;
mod types;
mod write;

use crate::{
    auth::action_limits::Action,
    core::Core,
    domain::{sessions::Viewer, text},
    error::{Error, Problem},
};

use self::types::SendRequest;
pub use self::{
    queue::SendQueue,
    types::{NewMessage, Sent},
};

/// Maximum length of a client's key, in characters.
const CLIENT_KEY_LENGTH: usize = 64;

/// Sends a message. A repeated request with the same key and content returns the first message; the same key with other
/// content is a CONFLICT.
pub async fn send(
    core: &Core,
    queue: &SendQueue,
    viewer: &Viewer,
    new: &NewMessage,
) -> Result<Sent, Error> {
    let new = new.composed();
    check(core, &new)?;
    core.action_limits
        .consume(viewer.user.0, Action::Send)
        .await?;
    let request = SendRequest {
        viewer: viewer.clone(),
        new,
    };
    queue::send(core, queue, request).await
}

/// Validates the input without the database.
fn check(core: &Core, new: &NewMessage) -> Result<(), Error> {
    let mut problems = vec![];
    check_body(core, &new.body, &mut problems);
    if let Some(key) = &new.client_message_id {
        let length = key.chars().count();
        if length == 0 || length > CLIENT_KEY_LENGTH {
            let message = format!("Use 1 to {CLIENT_KEY_LENGTH} characters.");
            problems.push(Problem::new("clientMessageId", "OUT_OF_RANGE", message));
        }
        problems.extend(nul_problem("clientMessageId", key));
    }
    Error::check(problems)
}

/// Validates the text of a message, in which at least one character must be visible.
pub(in crate::domain::messages) fn check_body(
    core: &Core,
    body: &str,
    problems: &mut Vec<Problem>,
) {
    let longest = core.config.message_length;
    if !text::is_visible_text(body) {
        problems.push(Problem::new("body", "REQUIRED", "Write something."));
    } else if body.chars().count() > longest {
        let message = format!("Use at most {longest} characters.");
        problems.push(Problem::new("body", "TOO_LONG", message));
    } else {
        problems.extend(nul_problem("body", body));
    }
}

/// The problem of a text with the NUL character, which PostgreSQL cannot store.
fn nul_problem(field: &str, text: &str) -> Option<Problem> {
    let message = "Text cannot hold the NUL character.";
    Problem::unless(!text.contains('\0'), field, "BAD_CHARACTER", message)
}
