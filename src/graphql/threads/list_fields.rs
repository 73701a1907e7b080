//! The fields of `Thread` that list plans serialise.

use async_graphql::{ScalarType, Value};

use crate::graphql::{
    list_plan::{LoadedObject, LoadedValue, NestedField, PlannedObject, Selection},
    reads::{loader::UnreadOf, types::int},
    scalars::DateTime,
    threads::{
        loader::{IsFollowing, LastReplyOf},
        types::Thread,
    },
};

impl PlannedObject for Thread {
    fn leaf(name: &str) -> Option<fn(&Self) -> Value> {
        Some(match name {
            "id" => |of| of.0.id.to_string().into(),
            "replyCount" => |of| of.0.reply_count.into(),
            "lastActivityAt" => |of| DateTime(of.0.last_activity_at).to_value(),
            _ => return None,
        })
    }

    fn nested(name: &str, set: Selection<'_>) -> Option<Box<dyn NestedField<Self>>> {
        Some(match name {
            "lastReply" => Box::new(LoadedObject::by(
                |of: &Self| Some(LastReplyOf(of.0.id)),
                set,
            )?),
            "viewerUnreadCount" => Box::new(LoadedValue::new(
                |of: &Self| Some(UnreadOf(of.0.id)),
                |_, count| count.map_or(0, |count| int(*count)).into(),
            )),
            "viewerIsFollowing" => Box::new(LoadedValue::new(
                |of: &Self| Some(IsFollowing(of.0.id)),
                |_, follows| follows.copied().unwrap_or_default().into(),
            )),
            _ => return None,
        })
    }
}
