//! Sending: a root message or a reply, once for each `clientMessageId`.

use aws_lc_rs::digest;

use crate::{
    app::App,
    domain::{
        messages::{judge::Key, together},
        sessions::Viewer,
    },
    entity::message::{self, MessagePriority},
    error::{Error, Problem},
    id::{ConversationId, MessageId, UserId},
};

/// Longest key that a client may choose.
const CLIENT_KEY_LENGTH: usize = 64;

/// A message to send.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Where to.
    pub conversation: ConversationId,
    /// The message being answered; none for a root message.
    pub parent: Option<MessageId>,
    /// Markdown text.
    pub body: String,
    /// How strongly to flag it.
    pub priority: MessagePriority,
    /// A key chosen by the client.
    pub client_message_id: Option<String>,
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message.
    pub message: message::Model,
    /// Whether an earlier request with the same key had sent it already.
    pub was_duplicate: bool,
}

/// Somebody's message on its way.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) viewer: Viewer,
    pub(super) new: NewMessage,
}

/// Sends a message. Repeating it with the same key and content gives the first message again; the
/// same key with other content is a CONFLICT.
pub async fn send(app: &App, viewer: &Viewer, new: &NewMessage) -> Result<Sent, Error> {
    check(app, new)?;
    let letter = Letter {
        viewer: viewer.clone(),
        new: new.clone(),
    };
    together::send(app, letter).await
}

impl Letter {
    /// Where it is sent, and by whom.
    pub(super) fn place(&self) -> (ConversationId, UserId) {
        (self.new.conversation, self.viewer.user)
    }

    /// What it shares with its repetitions.
    pub(super) fn key(&self) -> Option<Key> {
        let (conversation, sender) = self.place();
        let key = self.new.client_message_id.clone()?;
        Some((conversation, sender, key))
    }

    /// This message, which was sent with the same key, if it is the same.
    pub(super) fn same(&self, message: &message::Model) -> Result<message::Model, Error> {
        // A deleted message keeps its key and nothing else.
        let hash = message.content_hash.as_ref();
        if hash.is_none_or(|hash| *hash == self.new.content_hash()) {
            return Ok(message.clone());
        }
        Err(Error::conflict(
            "Another message was sent with this clientMessageId.",
        ))
    }
}

impl NewMessage {
    /// Tells contents apart without keeping them: an edit changes the body but not what was sent.
    pub(super) fn content_hash(&self) -> Vec<u8> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(
            self.parent
                .map_or([0; 16], |id| *id.0.as_bytes())
                .as_slice(),
        );
        context.update(match self.priority {
            MessagePriority::Normal => b"N",
            MessagePriority::Important => b"I",
            MessagePriority::Urgent => b"U",
        });
        context.update(self.body.as_bytes());
        context.finish().as_ref().to_vec()
    }
}

/// All that is wrong with the input, whoever sends it.
fn check(app: &App, new: &NewMessage) -> Result<(), Error> {
    let mut problems = vec![];
    check_body(app, &new.body, &mut problems);
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
pub(super) fn check_body(app: &App, body: &str, problems: &mut Vec<Problem>) {
    let longest = app.config.message_length;
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
