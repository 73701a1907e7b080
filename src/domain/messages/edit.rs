//! Editing messages: the new text replaces the old one, which becomes a revision.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, Set,
};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{
        access,
        messages::{self, mentions, permissions, send::check_body},
        notifications,
        sessions::Viewer,
        text,
    },
    entity::{message, message_revision},
    error::{Code, Error},
    id::{MessageId, RevisionId},
    live::log::{self, Change, Stream},
};

/// Maximum length of a reason, in characters.
const REASON_LENGTH: usize = 200;
/// Maximum revisions of a message. Older ones are not deleted instead, because they are the evidence of earlier texts.
const REVISIONS_MAX: u64 = 500;

/// A new text for a message.
#[derive(Clone, Debug)]
pub struct MessageEdit {
    /// The message.
    pub message: MessageId,
    /// Markdown text.
    pub body: String,
    /// The reason for the change, shown with the revision.
    pub reason: Option<String>,
    /// When given, `editedAt` of the version being replaced; otherwise the edit overwrites.
    pub expected_edited_at: Option<Option<DateTime<Utc>>>,
}

/// Replaces a message's text.
pub async fn edit(
    core: &Core,
    viewer: &Viewer,
    edit: &MessageEdit,
) -> Result<message::Model, Error> {
    let mut problems = vec![];
    let body = text::composed(&edit.body);
    check_body(core, &body, &mut problems);
    let reason = edit.reason.as_deref();
    let reason = reason.and_then(|text| text::line("reason", REASON_LENGTH, text, &mut problems));
    Error::check(problems)?;
    let edit = &MessageEdit {
        body,
        reason,
        ..edit.clone()
    };
    core.action_limits
        .consume(viewer.user.0, Action::ChangeMessage)
        .await?;
    core.db
        .write(|tx| async move { edit_in(&tx, core, viewer, edit).await })
        .await
}

async fn edit_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    edit: &MessageEdit,
) -> Result<message::Model, Error> {
    let conversation = messages::find(tx, viewer, edit.message)
        .await?
        .conversation_id;
    let membership = access::conversation(tx, viewer, conversation).await?;
    // Read again under the conversation's lock: another transaction may have deleted it before.
    let message = messages::find(tx, viewer, edit.message).await?;
    let now = core.clock.now();
    permissions::edit(&core.config, viewer, membership.role(), &message, now)?;
    if edit
        .expected_edited_at
        .is_some_and(|expected| expected != message.edited_at)
    {
        return Err(Error::conflict("The message was edited meanwhile."));
    }
    if message.body.as_deref() == Some(edit.body.as_str()) {
        return Ok(message);
    }
    // The time of each version is unique, so that a client can identify the one it replaces.
    let at = message
        .edited_at
        .map_or(now, |last| now.max(last + TimeDelta::milliseconds(1)));
    revise_in(tx, viewer, edit, &message, at).await?;
    let mut changed = message.into_active_model();
    changed.body = Set(Some(edit.body.clone()));
    changed.edited_at = Set(Some(at));
    let message = changed.update(tx).await?;
    let before = mentions::clear_in(tx, &message).await?;
    mentions::write_in(tx, [&message]).await?;
    let after = mentions::users_in(tx, &message).await?;
    let (removed, added) = (&before - &after, &after - &before);
    notifications::message_edited_in(tx, core, &message, &removed, &added).await?;
    let change = Change::MessageEdited {
        message: message.id,
    };
    log::append(tx, Stream::Conversation(conversation), at, &[change]).await?;
    Ok(message)
}

/// Stores the current text as a revision.
async fn revise_in(
    tx: &Tx,
    viewer: &Viewer,
    edit: &MessageEdit,
    message: &message::Model,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let earlier = message_revision::Entity::find()
        .filter(message_revision::Column::MessageId.eq(message.id))
        .count(tx)
        .await?;
    if earlier >= REVISIONS_MAX {
        let message = format!("A message can be edited {REVISIONS_MAX} times.");
        return Err(Error::new(Code::LimitReached, message));
    }
    let revision = message_revision::ActiveModel {
        id: Set(RevisionId::mint()),
        message_id: Set(message.id),
        number: Set(i32::try_from(earlier + 1).map_err(Error::internal)?),
        body: Set(message.body.clone().unwrap_or_default()),
        reason: Set(edit.reason.clone()),
        editor_id: Set(Some(viewer.user)),
        replaced_at: Set(at),
    };
    revision.insert(tx).await?;
    Ok(())
}
