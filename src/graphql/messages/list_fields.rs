//! The fields of `Message` that list plans serialise.

use async_graphql::{ScalarType, Value, resolver_utils::enum_value};

use crate::{
    domain::text,
    entity::message::{self, Column},
    graphql::{
        list_plan::{
            FieldRow, LoadedValues, PendingKeys, PlannedObject, computed, loaded, loaded_value,
            nested, value,
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
    id::{MessageId, ThreadId},
};

impl PlannedObject for Message {
    type Column = Column;

    const FIELDS: &'static [FieldRow<Self>] = &[
        value("id", &[Column::Id], |of| of.0.id.to_string().into()),
        value("kind", &[Column::Kind], |of| {
            enum_value(MessageKind::from(of.0.kind))
        }),
        value("priority", &[Column::Priority], |of| {
            enum_value(MessagePriority::from(of.0.priority))
        }),
        value("body", &[Column::Body], |of| {
            of.0.body.as_deref().map_or(Value::Null, Value::from)
        }),
        value("bodyHtml", &[Column::Body], |of| {
            let html = of.0.body.as_deref().map(|body| Html(text::html(body)));
            html.map_or(Value::Null, |html| html.to_value())
        }),
        value("sequence", &[Column::Seq], |of| of.0.seq.into()),
        value("createdAt", &[Column::CreatedAt], |of| {
            DateTime(of.0.created_at).to_value()
        }),
        value("editedAt", &[Column::EditedAt], |of| time(of.0.edited_at)),
        value("deletedAt", &[Column::DeletedAt], |of| {
            time(of.0.deleted_at)
        }),
        value("depth", &[Column::Depth], |of| of.0.depth.into()),
        value("replyCount", &[Column::ReplyCount], |of| {
            of.0.reply_count.into()
        }),
        value("descendantCount", &[Column::DescendantCount], |of| {
            of.0.descendant_count.into()
        }),
        nested("sender", &[Column::SenderId], |set| {
            loaded(|of: &Self| of.0.sender_id.map(UserKey), set)
        }),
        nested("parent", &[Column::ParentId], |set| {
            if set.selects_only_parent_id() {
                return computed(|of: &Self| of.0.parent_id.map(Self::with_id), set);
            }
            loaded(|of: &Self| of.0.parent_id.map(MessageKey), set)
        }),
        nested("thread", &[Column::Id, Column::RootId], |set| {
            let key = |of: &Self| Some(ThreadKey(ThreadId::from(of.0.thread_root())));
            loaded(key, set.without_ancestors())
        }),
        nested("viewerHasRead", &[Column::Id], |_| {
            loaded_value(
                |of: &Self| Some(IsUnread(of.0.id)),
                |_, unread| unread.is_none().into(),
            )
        }),
        nested("mentionsViewer", &[Column::Id], |_| {
            loaded_value(
                |of: &Self| Some(MentionsViewer(of.0.id)),
                |_, mentions| mentions.is_some().into(),
            )
        }),
    ];

    fn provide(&self, pending: &mut PendingKeys, loaded: &mut LoadedValues<'_>) {
        loaded.provide(pending, MessageKey(self.0.id), || self.clone());
    }
}

impl Message {
    /// A message of which only the id is used.
    fn with_id(id: MessageId) -> Self {
        Self(message::Model {
            id,
            ..message::Model::default()
        })
    }
}

fn time(at: Option<chrono::DateTime<chrono::Utc>>) -> Value {
    at.map_or(Value::Null, |at| DateTime(at).to_value())
}
