//! The fields of `Thread` that list plans serialise. Threads are always loaded whole, so that they name no columns.

use async_graphql::ScalarType;

use crate::graphql::{
    list_plan::{FieldRow, PlannedObject, loaded, loaded_value, nested, value},
    reads::{loader::UnreadOf, types::int},
    scalars::DateTime,
    threads::{
        loader::{IsFollowing, LastReplyOf},
        types::Thread,
    },
};

impl PlannedObject for Thread {
    type Column = ();

    const FIELDS: &'static [FieldRow<Self>] = &[
        value("id", &[], |of| of.0.id.to_string().into()),
        value("replyCount", &[], |of| of.0.reply_count.into()),
        value("lastActivityAt", &[], |of| {
            DateTime(of.0.last_activity_at).to_value()
        }),
        nested("lastReply", &[], |set| {
            loaded(|of: &Self| Some(LastReplyOf(of.0.id)), set)
        }),
        nested("viewerUnreadCount", &[], |_| {
            loaded_value(
                |of: &Self| Some(UnreadOf(of.0.id)),
                |_, count| count.map_or(0, |&count| int(count)).into(),
            )
        }),
        nested("viewerIsFollowing", &[], |_| {
            loaded_value(
                |of: &Self| Some(IsFollowing(of.0.id)),
                |_, follows| follows.copied().unwrap_or_default().into(),
            )
        }),
    ];
}
