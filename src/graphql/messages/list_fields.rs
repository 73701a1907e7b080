//! The fields of `Message` that list plans serialise.

use async_graphql::{ScalarType, Value, resolver_utils::enum_value};
use futures_util::FutureExt;

use crate::{
    domain::text,
    entity::message,
    graphql::{
        errors::FieldError,
        list_plan::{
            Column, FieldPlan, FieldSelection, ListValues, Part, PlannedObject, field, require,
            write,
        },
        messages::{
            loader::{DescendantsOf, MentionsViewer, MessageKey},
            types::{Message, MessageKind, MessagePriority},
        },
        reads::loader::IsUnread,
        scalars::DateTime,
        threads::loader::ThreadKey,
        users::loader::UserKey,
    },
    id::MessageId,
};

impl Part<message::Model> for Message {
    fn part(&self) -> &message::Model {
        &self.0
    }
}

fn time(at: Option<chrono::DateTime<chrono::Utc>>) -> Option<Value> {
    at.map(|at| DateTime(at).to_value())
}

async fn bodies_as_html(
    messages: &[&Message],
    values: &ListValues<'_>,
) -> Result<Column, FieldError> {
    let mut column = Column::default();
    for message in messages {
        let html = match &message.0.body {
            Some(body) => Some(text::html(body).await),
            None => None,
        };
        column.push(|out| write(out, &html.as_deref()));
        values.check_size(column.size())?;
    }
    Ok(column)
}

impl Message {
    /// A message of which only the id is used.
    fn with_id(id: MessageId) -> Self {
        Self::from(message::Model {
            id,
            ..message::Model::default()
        })
    }
}

impl PlannedObject for Message {
    fn field(name: &str, within: FieldSelection<'_>) -> Option<FieldPlan<Self>> {
        match name {
            "id" => field!(within, message { id } => id),
            "kind" => field!(within, message { kind } => enum_value(MessageKind::from(*kind))),
            "priority" => field!(
                within, message { priority } => enum_value(MessagePriority::from(*priority))
            ),
            "body" => field!(within, message { body } => body),
            "bodyHtml" => {
                require!(within, message { body });
                Some(FieldPlan::Nested(Box::new(|items, values| {
                    bodies_as_html(items, values).boxed()
                })))
            }
            "isImported" => field!(within, message { import_key } => import_key.is_some()),
            "sequence" => field!(within, message { seq } => seq),
            "createdAt" => {
                field!(within, message { created_at } => DateTime(*created_at).to_value())
            }
            "editedAt" => field!(within, message { edited_at } => time(*edited_at)),
            "deletedAt" => field!(within, message { deleted_at } => time(*deleted_at)),
            "depth" => field!(within, message { depth } => depth),
            "replyCount" => field!(within, message { reply_count } => reply_count),
            "descendantCount" => field!(
                within,
                message { id, conversation_id, branch_seq, descendant_count }
                    => load DescendantsOf::of(*id, *conversation_id, *branch_seq, *descendant_count),
                |found| found.unwrap_or(descendant_count)
            ),
            "sender" => field!(within, message { sender_id } => load sender_id.map(UserKey)),
            "parent" if within.selects_only_parent_id() => {
                require!(within, message { parent_id });
                within.computed(|of: &Self| of.0.parent_id.map(Self::with_id))
            }
            "parent" => {
                require!(within, message { id, parent_id });
                let parent = |of: &Self| of.0.parent_id.map(MessageKey);
                within.loaded_or_listed(parent, |of| MessageKey(of.0.id))
            }
            "thread" => {
                let within = within.without_ancestors();
                field!(within, message { id, root_id } => load Some(ThreadKey(root_id.unwrap_or(*id).into())))
            }
            "viewerHasRead" => field!(
                within, message { id } => load Some(IsUnread(*id)), |unread| unread.is_none()
            ),
            "mentionsViewer" => field!(
                within, message { id } => load Some(MentionsViewer(*id)), |mentions| mentions.is_some()
            ),
            _ => None,
        }
    }
}
