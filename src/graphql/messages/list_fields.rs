//! The fields of `Message` that list plans serialise.

use async_graphql::{ScalarType, Value, resolver_utils::enum_value};

use crate::{
    domain::text,
    entity::message,
    graphql::{
        list_plan::{
            ComputedObject, LoadedObject, LoadedValue, LoadedValues, NestedField, PendingKeys,
            PlannedObject, RequiredColumns, Selection,
        },
        messages::{
            loader::{MentionsViewer, MessageKey},
            types::{Message, MessageKind, MessagePriority},
        },
        reads::loader::IsUnread,
        scalars::{DateTime, Html},
        threads::loader::ThreadKey,
        users::loader::UserKey,
    },
    id::ThreadId,
};

impl PlannedObject for Message {
    fn leaf(name: &str) -> Option<fn(&Self) -> Value> {
        Some(match name {
            "id" => |of| of.0.id.to_string().into(),
            "kind" => |of| enum_value(MessageKind::from(of.0.kind)),
            "priority" => |of| enum_value(MessagePriority::from(of.0.priority)),
            "body" => |of| of.0.body.as_deref().map_or(Value::Null, Value::from),
            "bodyHtml" => |of| {
                let html = of.0.body.as_deref().map(|body| Html(text::html(body)));
                html.map_or(Value::Null, |html| html.to_value())
            },
            "sequence" => |of| of.0.seq.into(),
            "createdAt" => |of| DateTime(of.0.created_at).to_value(),
            "editedAt" => |of| time(of.0.edited_at),
            "deletedAt" => |of| time(of.0.deleted_at),
            "depth" => |of| of.0.depth.into(),
            "replyCount" => |of| of.0.reply_count.into(),
            "descendantCount" => |of| of.0.descendant_count.into(),
            _ => return None,
        })
    }

    fn nested(name: &str, set: Selection<'_>) -> Option<Box<dyn NestedField<Self>>> {
        Some(match name {
            "sender" => Box::new(LoadedObject::by(
                |of: &Self| of.0.sender_id.map(UserKey),
                set,
            )?),
            "parent" if set.selects_only_parent_id() => Box::new(ComputedObject::new(
                |of: &Self| {
                    let id = of.0.parent_id?;
                    Some(Self(message::Model {
                        id,
                        ..message::Model::default()
                    }))
                },
                set,
            )?),
            "parent" => Box::new(LoadedObject::by(
                |of: &Self| of.0.parent_id.map(MessageKey),
                set,
            )?),
            "thread" => Box::new(LoadedObject::by(
                |of: &Self| Some(ThreadKey(ThreadId::from(of.0.thread_root()))),
                set.without_ancestors(),
            )?),
            "viewerHasRead" => Box::new(LoadedValue::new(
                |of: &Self| Some(IsUnread(of.0.id)),
                |_, unread| unread.is_none().into(),
            )),
            "mentionsViewer" => Box::new(LoadedValue::new(
                |of: &Self| Some(MentionsViewer(of.0.id)),
                |_, mentions| mentions.is_some().into(),
            )),
            _ => return None,
        })
    }

    fn required_columns(name: &str, required_columns: &mut RequiredColumns) {
        let columns: &[&str] = match name {
            "__typename" => &[],
            "id" | "viewerHasRead" | "mentionsViewer" => &["id"],
            "kind" => &["kind"],
            "priority" => &["priority"],
            "body" | "bodyHtml" => &["body"],
            "sequence" => &["seq"],
            "createdAt" => &["created_at"],
            "editedAt" => &["edited_at"],
            "deletedAt" => &["deleted_at"],
            "depth" => &["depth"],
            "replyCount" => &["reply_count"],
            "descendantCount" => &["descendant_count"],
            "sender" => &["sender_id"],
            "parent" => &["parent_id"],
            "thread" => &["id", "root_id"],
            _ => message::Model::COLUMNS,
        };
        required_columns.message.extend(columns);
    }

    fn provide(&self, pending: &mut PendingKeys, loaded: &mut LoadedValues<'_>) {
        loaded.provide(pending, MessageKey(self.0.id), || self.clone());
    }
}

fn time(at: Option<chrono::DateTime<chrono::Utc>>) -> Value {
    at.map_or(Value::Null, |at| DateTime(at).to_value())
}
