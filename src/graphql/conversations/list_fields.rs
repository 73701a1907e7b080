//! The fields of `Conversation` that list plans serialise.

use std::borrow::Cow;

use async_graphql::{ScalarType, resolver_utils::enum_value};

use crate::{
    entity::{conversation, participant},
    graphql::{
        conversations::types::{Conversation, ConversationKind, HistoryVisibility, joined_names},
        list_plan::{FieldPlan, FieldSelection, Part, PlannedObject, field, require},
        messages::{loader::TimelineOf, types::Message},
        participants::{
            loader::{MembershipOf, NamesOf},
            types::Membership,
        },
        scalars::DateTime,
        users::loader::UserKey,
    },
};

impl Part<conversation::Model> for Conversation {
    fn part(&self) -> &conversation::Model {
        &self.0
    }
}

impl PlannedObject for Conversation {
    fn field(name: &str, within: FieldSelection<'_>) -> Option<FieldPlan<Self>> {
        match name {
            "id" => field!(within, conversation { id } => id),
            "kind" => {
                field!(within, conversation { kind } => enum_value(ConversationKind::from(*kind)))
            }
            "title" => field!(within, conversation { title } => title),
            "topic" => field!(within, conversation { topic } => topic),
            "historyVisibility" => field!(
                within, conversation { history_visibility } => enum_value(HistoryVisibility::from(*history_visibility))
            ),
            "createdAt" => field!(
                within, conversation { created_at } => DateTime(*created_at).to_value()
            ),
            "lastActivityAt" => field!(
                within, conversation { last_activity_at } => DateTime(*last_activity_at).to_value()
            ),
            "displayTitle" => field!(
                within, conversation { id, title } => load title.is_none().then_some(NamesOf(*id)),
                |names| match title {
                    Some(title) => Cow::from(title),
                    None => names.map(joined_names).unwrap_or_default().into(),
                }
            ),
            "participantCount" => {
                field!(within, conversation { participant_count } => participant_count)
            }
            "createdBy" => {
                field!(within, conversation { created_by } => load created_by.map(UserKey))
            }
            "lastMessage" => {
                require!(within, conversation { id });
                within.loaded_object(
                    |of: &Self| Some(TimelineOf::newest(of.0.id)),
                    |_, newest| {
                        let (_, message) = newest.items.first()?;
                        Some(Cow::<Message>::Owned(message.clone().into()))
                    },
                )
            }
            // The fields of the membership require their own columns.
            "viewerMembership" => {
                require!(within, conversation { id } participant { conversation_id });
                within.loaded_object(
                    |of: &Self| Some(MembershipOf(of.0.id)),
                    |of, participant| {
                        Some(Cow::<Membership>::Owned(Membership {
                            participant: participant.clone(),
                            conversation: of.0.clone(),
                        }))
                    },
                )
            }
            _ => None,
        }
    }
}
