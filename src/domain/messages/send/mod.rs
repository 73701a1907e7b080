//! Sending: a root message or a reply, once for each `clientMessageId`.

mod check;
mod queue;
mod types;
mod write;

use crate::{
    core::Core,
    domain::sessions::Viewer,
    error::{Error, Problem},
};

use self::types::SendRequest;
pub use self::{
    queue::SendQueue,
    types::{NewMessage, Sent},
};

/// Longest key that a client may choose.
const CLIENT_KEY_LENGTH: usize = 64;

/// Sends a message. Repeating it with the same key and content gives the first message again; the
/// same key with other content is a CONFLICT.
pub async fn send(
    core: &Core,
    queue: &SendQueue,
    viewer: &Viewer,
    new: &NewMessage,
) -> Result<Sent, Error> {
    check(core, new)?;
    let letter = SendRequest {
        viewer: viewer.clone(),
        new: new.clone(),
    };
    queue::send(core, queue, letter).await
}

/// All that is wrong with the input, whoever sends it.
fn check(core: &Core, new: &NewMessage) -> Result<(), Error> {
    let mut problems = vec![];
    check_body(core, &new.body, &mut problems);
    if let Some(key) = &new.client_message_id {
        let length = key.chars().count();
        if length == 0 || length > CLIENT_KEY_LENGTH || key.contains('\0') {
            let message = format!("Use 1 to {CLIENT_KEY_LENGTH} characters.");
            problems.push(Problem::new("clientMessageId", "OUT_OF_RANGE", message));
        }
    }
    Error::check(problems)
}

/// What is wrong with a text.
pub(in crate::domain::messages) fn check_body(
    core: &Core,
    body: &str,
    problems: &mut Vec<Problem>,
) {
    let longest = core.config.message_length;
    if body.trim().is_empty() {
        problems.push(Problem::new("body", "REQUIRED", "Write something."));
    } else if body.chars().count() > longest {
        let message = format!("Use at most {longest} characters.");
        problems.push(Problem::new("body", "TOO_LONG", message));
    } else if body.contains('\0') {
        problems.push(Problem::new(
            "body",
            "BAD_CHARACTER",
            "Text cannot hold the NUL character.",
        ));
    }
}
