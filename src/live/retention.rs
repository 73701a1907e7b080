//! Deletes events that are too old to be replayed, and the oldest events of streams that have grown too long.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use super::log::{self, Change, Stream};
use crate::{
    db::Db,
    entity::{conversation, event, user},
    error::Error,
    id::{ConversationId, UserId},
};

/// How often events are deleted.
pub(super) const INTERVAL: TimeDelta = TimeDelta::hours(1);
/// The maximum number of events of a stream. Newer events than [`SLACK`] are kept in addition.
pub const EVENTS_PER_STREAM: i64 = 10_000;
/// How much longer than the retention an event is kept. An event gets its time before it is committed, and the age of a
/// cursor counts from that time.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// Streams read by one statement.
const STREAMS: u64 = 200;

/// The time before which no event follows a valid cursor.
pub(super) fn horizon(retention: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    now - retention - SLACK
}

/// Deletes the events that follow no valid cursor, and returns their number.
pub async fn prune(db: &Db, retention: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error> {
    let old = event::Column::CreatedAt.lt(horizon(retention, now));
    db.delete_batches::<event::Entity>(event::Column::Position, old)
        .await
}

/// Deletes the oldest events of the streams that have more than `max`, and returns their number. A `StreamReset` takes
/// the place of the newest of them: who resumes at an earlier position loads the state again. It represents exactly
/// the deleted events, because the events of a stream become visible in the order of their numbers.
pub async fn trim(db: &Db, max: i64, now: DateTime<Utc>) -> Result<u64, Error> {
    use conversation::Column::{EventSeq, Id};
    let conversation = |id| Stream::Conversation(ConversationId(id));
    let of_conversations =
        trim_streams::<conversation::Entity>(db, (Id, EventSeq), conversation, max, now).await?;
    let (id, event_seq) = (user::Column::Id, user::Column::EventSeq);
    let user = |id| Stream::User(UserId(id));
    let of_users = trim_streams::<user::Entity>(db, (id, event_seq), user, max, now).await?;
    Ok(of_conversations + of_users)
}

/// Deletes the oldest events of the streams of one table.
async fn trim_streams<E: EntityTrait>(
    db: &Db,
    (id, event_seq): (E::Column, E::Column),
    stream: fn(Uuid) -> Stream,
    max: i64,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let (mut deleted, mut after) = (0, Uuid::nil());
    loop {
        let long: Vec<(Uuid, i64)> = E::find()
            .select_only()
            .columns([id, event_seq])
            .filter(event_seq.gt(max))
            .filter(id.gt(after))
            .order_by_asc(id)
            .limit(STREAMS)
            .into_tuple()
            .all(db.read())
            .await?;
        for (id, last) in &long {
            deleted += trim_stream(db, stream(*id), last - max, now).await?;
        }
        match long.last() {
            Some((last, _)) => after = *last,
            None => return Ok(deleted),
        }
    }
}

/// Deletes the events of a stream up to this sequence number.
async fn trim_stream(
    db: &Db,
    stream: Stream,
    until: i64,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let of_stream = event::Column::StreamId.eq(stream.id());
    let newest = event::Entity::find()
        .filter(of_stream.clone())
        .filter(event::Column::Seq.lte(until))
        .filter(event::Column::CreatedAt.lt(now - SLACK))
        .order_by_desc(event::Column::Seq)
        .one(db.read())
        .await?;
    let reset = &log::payload(&Change::StreamReset)?;
    let Some(newest) = newest.filter(|event| event.payload != *reset) else {
        return Ok(0);
    };
    // All who share a conversation with a user receive their profile changes, and find this in the same way.
    let kind = match stream {
        Stream::User(_) => "UserChanged",
        Stream::Conversation(_) => Change::StreamReset.kind(),
    };
    let marker = &event::Entity::update_many()
        .set(event::ActiveModel {
            kind: Set(kind.to_owned()),
            payload: Set(reset.clone()),
            ..Default::default()
        })
        .filter(event::Column::Position.eq(newest.position));
    // Before the others are deleted, so that no reader misses them.
    db.write(|tx| async move { Ok(marker.clone().exec(&*tx).await?) })
        .await?;
    let before = of_stream.and(event::Column::Seq.lt(newest.seq));
    db.delete_batches::<event::Entity>(event::Column::Position, before)
        .await
}
