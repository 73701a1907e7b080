//! The fields of `Membership` that list plans serialise.

use async_graphql::resolver_utils::enum_value;

use crate::{
    entity::{
        conversation,
        participant::{self, ParticipantRole},
    },
    graphql::{
        list_plan::{FieldPlan, FieldSelection, Part, PlannedObject, field},
        participants::types::{Membership, NotificationLevel, in_group_at_least},
        reads::{
            loader::{MentionsIn, UnreadIn},
            types::int,
        },
    },
    id::MembershipId,
};

impl Part<participant::Model> for Membership {
    fn part(&self) -> &participant::Model {
        &self.participant
    }
}

impl Part<conversation::Model> for Membership {
    fn part(&self) -> &conversation::Model {
        &self.conversation
    }
}

impl PlannedObject for Membership {
    fn field(name: &str, within: FieldSelection<'_>) -> Option<FieldPlan<Self>> {
        match name {
            "id" => field!(within, participant { id } => MembershipId(id.0)),
            "notificationLevel" => field!(
                within, participant { notification_level } => enum_value(NotificationLevel::from(*notification_level))
            ),
            "isPinned" => field!(within, participant { is_pinned } => is_pinned),
            "isArchived" => field!(
                within, conversation { last_seq } participant { archived_seq } =>
                    participant::is_put_away(*archived_seq, *last_seq)
            ),
            "isHidden" => field!(
                within, conversation { last_seq } participant { hidden_seq } =>
                    participant::is_put_away(*hidden_seq, *last_seq)
            ),
            "canSend" => field!(within, participant { role } => role.may_send()),
            "canUpdate"
            | "canAddParticipants"
            | "canRemoveParticipants"
            | "canChangeRoles"
            | "canModerate" => field!(
                within, conversation { kind } participant { role } =>
                    in_group_at_least(*kind, *role, ParticipantRole::Moderator)
            ),
            "canDelete" => field!(
                within, conversation { kind } participant { role } =>
                    in_group_at_least(*kind, *role, ParticipantRole::Owner)
            ),
            "unreadCount" => {
                within.require(|required| required.unread = true);
                field!(
                    within, conversation { id } => load Some(UnreadIn(*id)), |count| count.map_or(0, |&count| int(count))
                )
            }
            "mentionCount" => field!(
                within, conversation { id } => load Some(MentionsIn(*id)), |count| count.map_or(0, |&count| int(count))
            ),
            _ => None,
        }
    }
}
