//! The actions that a viewer may take on a message, and their time limits.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    config::Config,
    domain::sessions::Viewer,
    entity::{
        message::{self, MessageKind},
        participant::ParticipantRole,
    },
    error::{Code, Error},
};

/// Passes when this role may send in a conversation.
pub fn send(role: ParticipantRole) -> Result<(), Error> {
    if role >= ParticipantRole::Member {
        return Ok(());
    }
    Err(Error::forbidden("Observers may only read."))
}

/// Passes when this role may reply to this message.
pub fn reply(message: &message::Model, role: ParticipantRole) -> Result<(), Error> {
    send(role)?;
    if message.deleted_at.is_some() || message.kind == MessageKind::Notice {
        return Err(Error::forbidden(
            "Deleted messages and notices cannot be replied to.",
        ));
    }
    Ok(())
}

/// A check of whether the viewer, with this role, may change a message at this time.
pub type Check =
    fn(&Config, &Viewer, ParticipantRole, &message::Model, DateTime<Utc>) -> Result<(), Error>;

/// Passes when the viewer may edit this message now.
pub fn edit(
    config: &Config,
    viewer: &Viewer,
    role: ParticipantRole,
    message: &message::Model,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if message.sender_id != Some(viewer.user) {
        return Err(Error::forbidden("Only its sender may edit a message."));
    }
    if message.deleted_at.is_some() {
        return Err(Error::forbidden("A deleted message cannot be edited."));
    }
    send(role)?;
    within(message, config.edit_window, now)
}

/// Passes when the viewer may delete this message now: their own within the time limit, any as a moderator.
pub fn delete(
    config: &Config,
    viewer: &Viewer,
    role: ParticipantRole,
    message: &message::Model,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if message.kind == MessageKind::Notice || message.deleted_at.is_some() {
        return Err(Error::forbidden(
            "Notices and deleted messages cannot be deleted.",
        ));
    }
    if role >= ParticipantRole::Moderator {
        return Ok(());
    }
    if message.sender_id != Some(viewer.user) {
        return Err(Error::forbidden(
            "Only its sender or a moderator may delete a message.",
        ));
    }
    within(message, config.delete_window, now)
}

/// The end of a time limit that begins with the message; `None` when there is no limit.
#[must_use]
pub fn closes(message: &message::Model, window: Option<Duration>) -> Option<DateTime<Utc>> {
    window.map(|window| message.created_at + window)
}

fn within(
    message: &message::Model,
    window: Option<Duration>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match closes(message, window) {
        Some(end) if now > end => Err(Error::new(
            Code::Expired,
            "The time allowed for this has passed.",
        )),
        _ => Ok(()),
    }
}
