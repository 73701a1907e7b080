//! The fields of `Conversation` that list plans serialise.

use std::borrow::Cow;

use async_graphql::{ScalarType, Value, resolver_utils::enum_value};

use crate::{
    entity::conversation,
    graphql::{
        conversations::types::{Conversation, ConversationKind, HistoryVisibility, joined_names},
        list_plan::{
            LoadedObject, LoadedValue, NestedField, PlannedObject, RequiredColumns, Selection,
        },
        messages::{loader::TimelineOf, types::Message},
        participants::{
            loader::{CountsOf, MembershipOf, NamesOf},
            types::Membership,
        },
        reads::types::int,
        scalars::DateTime,
        users::loader::UserKey,
    },
};

impl PlannedObject for Conversation {
    fn leaf(name: &str) -> Option<fn(&Self) -> Value> {
        Some(match name {
            "id" => |of| of.0.id.to_string().into(),
            "kind" => |of| enum_value(ConversationKind::from(of.0.kind)),
            "title" => |of| of.0.title.as_deref().map_or(Value::Null, Value::from),
            "topic" => |of| of.0.topic.as_deref().map_or(Value::Null, Value::from),
            "historyVisibility" => {
                |of| enum_value(HistoryVisibility::from(of.0.history_visibility))
            }
            "createdAt" => |of| DateTime(of.0.created_at).to_value(),
            "lastActivityAt" => |of| DateTime(of.0.last_activity_at).to_value(),
            _ => return None,
        })
    }

    fn nested(name: &str, set: Selection<'_>) -> Option<Box<dyn NestedField<Self>>> {
        Some(match name {
            "displayTitle" => Box::new(LoadedValue::new(
                |of: &Self| of.0.title.is_none().then_some(NamesOf(of.0.id)),
                |of, names| match &of.0.title {
                    Some(title) => title.clone().into(),
                    None => names.map(joined_names).unwrap_or_default().into(),
                },
            )),
            "participantCount" => Box::new(LoadedValue::new(
                |of: &Self| Some(CountsOf(of.0.id)),
                |_, counts| counts.map_or(0, |counts| int(counts.people)).into(),
            )),
            "createdBy" => Box::new(LoadedObject::by(
                |of: &Self| of.0.created_by.map(UserKey),
                set,
            )?),
            "lastMessage" => Box::new(LoadedObject::<_, _, Message>::new(
                |of: &Self| Some(TimelineOf::newest(of.0.id)),
                |_, newest| Some(Cow::Owned(Message(newest.items.first()?.message.clone()))),
                set,
            )?),
            "viewerMembership" => Box::new(LoadedObject::<_, _, Membership>::new(
                |of: &Self| Some(MembershipOf(of.0.id)),
                |of, participant| {
                    Some(Cow::Owned(Membership {
                        participant: participant.clone(),
                        conversation: of.0.clone(),
                    }))
                },
                set,
            )?),
            _ => return None,
        })
    }

    fn required_columns(name: &str, required_columns: &mut RequiredColumns) {
        let columns: &[&str] = match name {
            // The membership's fields add their own columns.
            "__typename" | "id" | "lastActivityAt" | "participantCount" | "lastMessage"
            | "viewerMembership" => &[],
            "kind" => &["kind"],
            "title" | "displayTitle" => &["title"],
            "topic" => &["topic"],
            "historyVisibility" => &["history_visibility"],
            "createdAt" => &["created_at"],
            "createdBy" => &["created_by"],
            _ => conversation::Model::COLUMNS,
        };
        required_columns.conversation.extend(columns);
    }
}
