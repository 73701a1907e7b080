//! The fields of `Thread` and of the edges of its replies that list plans serialise.

use async_graphql::ScalarType;

use crate::{
    entity::thread,
    graphql::{
        list_plan::{FieldPlan, FieldSelection, Part, PlannedObject, field, write},
        reads::{loader::UnreadOf, types::int},
        scalars::DateTime,
        threads::{
            loader::{IsFollowing, LastReplyOf},
            types::{Thread, ThreadReplyEdge},
        },
    },
};

impl Part<thread::Model> for Thread {
    fn part(&self) -> &thread::Model {
        &self.0
    }
}

impl PlannedObject for Thread {
    fn field(name: &str, within: FieldSelection<'_>) -> Option<FieldPlan<Self>> {
        match name {
            "id" => field!(within, thread { id } => id),
            "replyCount" => field!(within, thread { reply_count } => reply_count),
            "lastActivityAt" => field!(
                within, thread { last_activity_at } => DateTime(*last_activity_at).to_value()
            ),
            "lastReply" => field!(within, thread { id } => load Some(LastReplyOf(*id))),
            "viewerUnreadCount" => field!(
                within, thread { id } => load Some(UnreadOf(*id)), |count| count.map_or(0, |&count| int(count))
            ),
            "viewerIsFollowing" => field!(
                within, thread { id } => load Some(IsFollowing(*id)), |follows| follows.is_some_and(|&follows| follows)
            ),
            _ => None,
        }
    }
}

impl PlannedObject for ThreadReplyEdge {
    const ANCESTORS_VISIBLE: bool = true;

    fn field(name: &str, within: FieldSelection<'_>) -> Option<FieldPlan<Self>> {
        match name {
            "node" => within.child(|edge: &Self| &edge.node),
            "cursor" => Some(FieldPlan::Value(|edge, out| {
                write(out, &edge.cursor.to_string());
            })),
            "depth" => Some(FieldPlan::Value(|edge, out| write(out, &edge.depth))),
            "hiddenReplyCount" => Some(FieldPlan::Value(|edge, out| {
                write(out, &edge.hidden_reply_count);
            })),
            _ => None,
        }
    }
}
