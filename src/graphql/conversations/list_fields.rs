//! The fields of `Conversation` that list plans serialise.

use std::borrow::Cow;

use async_graphql::{ScalarType, Value, resolver_utils::enum_value};

use crate::{
    domain::conversations::ListColumn::{self, Conversation as Column, Participant},
    entity::{conversation::Column as C, participant},
    graphql::{
        conversations::types::{Conversation, ConversationKind, HistoryVisibility, joined_names},
        list_plan::{FieldRow, PlannedObject, loaded, loaded_object, loaded_value, nested, value},
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
    type Column = ListColumn;

    const FIELDS: &'static [FieldRow<Self>] = &[
        value("id", &[Column(C::Id)], |of| of.0.id.to_string().into()),
        value("kind", &[Column(C::Kind)], |of| {
            enum_value(ConversationKind::from(of.0.kind))
        }),
        value("title", &[Column(C::Title)], |of| {
            text(of.0.title.as_deref())
        }),
        value("topic", &[Column(C::Topic)], |of| {
            text(of.0.topic.as_deref())
        }),
        value("historyVisibility", &[Column(C::HistoryVisibility)], |of| {
            enum_value(HistoryVisibility::from(of.0.history_visibility))
        }),
        value("createdAt", &[Column(C::CreatedAt)], |of| {
            DateTime(of.0.created_at).to_value()
        }),
        value("lastActivityAt", &[Column(C::LastActivityAt)], |of| {
            DateTime(of.0.last_activity_at).to_value()
        }),
        nested("displayTitle", &[Column(C::Title)], |_| {
            loaded_value(
                |of: &Self| of.0.title.is_none().then_some(NamesOf(of.0.id)),
                |of, names| match &of.0.title {
                    Some(title) => title.clone().into(),
                    None => names.map(joined_names).unwrap_or_default().into(),
                },
            )
        }),
        nested("participantCount", &[], |_| {
            loaded_value(
                |of: &Self| Some(CountsOf(of.0.id)),
                |_, counts| counts.map_or(0, |counts| int(counts.people)).into(),
            )
        }),
        nested("createdBy", &[Column(C::CreatedBy)], |set| {
            loaded(|of: &Self| of.0.created_by.map(UserKey), set)
        }),
        nested("lastMessage", &[], |set| {
            loaded_object::<Self, _, Message>(
                |of| Some(TimelineOf::newest(of.0.id)),
                |_, newest| {
                    let message = newest.items.first()?.message.loaded();
                    Some(Cow::Owned(Message(message.clone())))
                },
                set,
            )
        }),
        // The fields of the membership add their own columns.
        nested(
            "viewerMembership",
            &[Participant(participant::Column::ConversationId)],
            |set| {
                loaded_object::<Self, _, Membership>(
                    |of| Some(MembershipOf(of.0.id)),
                    |of, participant| {
                        Some(Cow::Owned(Membership {
                            participant: participant.clone(),
                            conversation: of.0.clone(),
                        }))
                    },
                    set,
                )
            },
        ),
    ];
}

fn text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}
