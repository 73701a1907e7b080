//! The spans of messages that notified a participant under earlier settings.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};

use crate::{
    db::Tx,
    entity::{
        message, notification_span,
        participant::{self, NotificationLevel},
    },
    error::Error,
    id::ConversationId,
};

/// Stores the span of messages up to `last_seq` that notified a participant, before their settings change.
pub async fn close_span_in(
    tx: &Tx,
    participant: &participant::Model,
    last_seq: i32,
) -> Result<(), Error> {
    let mut from_seq = Ord::max(participant.settings_from_seq, participant.notified_from_seq);
    if participant.notification_level == NotificationLevel::None || from_seq > last_seq {
        return Ok(());
    }
    if let Some(until) = participant.muted_until {
        let first: Option<i32> = message::Entity::find()
            .select_only()
            .column(message::Column::Seq)
            .filter(message::Column::ConversationId.eq(participant.conversation_id))
            .filter(message::Column::ImportKey.is_null())
            .filter(message::Column::CreatedAt.gte(until))
            .filter(message::Column::Seq.between(from_seq, last_seq))
            .order_by_asc(message::Column::CreatedAt)
            .order_by_asc(message::Column::Seq)
            .limit(1)
            .into_tuple()
            .one(tx)
            .await?;
        let Some(first) = first else {
            return Ok(());
        };
        from_seq = first;
    }
    let span = notification_span::Model {
        participant_id: participant.id,
        from_seq,
        to_seq: last_seq,
        mentions_only: participant.notification_level == NotificationLevel::Mentions,
    };
    span.into_active_model().insert(tx).await?;
    Ok(())
}

/// Excludes imported messages, those after `before` up to `last`, from the messages that notify the participants of a
/// conversation.
pub async fn skip_in(
    tx: &Tx,
    conversation: ConversationId,
    (before, last): (i32, i32),
) -> Result<(), Error> {
    let accepting = participant::Entity::find()
        .filter(participant::Column::ConversationId.eq(conversation))
        .filter(participant::Column::SettingsFromSeq.lte(before))
        .filter(participant::Column::NotificationLevel.ne(NotificationLevel::None))
        .all(tx)
        .await?;
    for participant in &accepting {
        close_span_in(tx, participant, before).await?;
    }
    participant::Entity::update_many()
        .col_expr(participant::Column::SettingsFromSeq, Expr::val(last + 1))
        .filter(participant::Column::ConversationId.eq(conversation))
        .exec(tx)
        .await?;
    Ok(())
}
