//! The fields of `Membership` that list plans serialise.

use async_graphql::{Value, resolver_utils::enum_value};

use crate::{
    entity::{
        conversation,
        participant::{self, ParticipantRole},
    },
    graphql::{
        list_plan::{LoadedValue, NestedField, PlannedObject, RequiredColumns, Selection},
        participants::types::{Membership, NotificationLevel},
        reads::{
            loader::{MentionsIn, UnreadIn},
            types::int,
        },
    },
    id::MembershipId,
};

impl PlannedObject for Membership {
    fn leaf(name: &str) -> Option<fn(&Self) -> Value> {
        Some(match name {
            "id" => |of| MembershipId(of.participant.id.0).to_string().into(),
            "notificationLevel" => {
                |of| enum_value(NotificationLevel::from(of.participant.notification_level))
            }
            "isPinned" => |of| of.participant.is_pinned.into(),
            "isArchived" => |of| of.participant.is_archived(of.conversation.last_seq).into(),
            "canSend" => |of| of.participant.role.may_send().into(),
            "canUpdate"
            | "canAddParticipants"
            | "canRemoveParticipants"
            | "canChangeRoles"
            | "canModerate" => |of| of.in_group_at_least(ParticipantRole::Moderator).into(),
            "canDelete" => |of| of.in_group_at_least(ParticipantRole::Owner).into(),
            _ => return None,
        })
    }

    fn nested(name: &str, _: Selection<'_>) -> Option<Box<dyn NestedField<Self>>> {
        Some(match name {
            "unreadCount" => Box::new(LoadedValue::new(
                |of: &Self| Some(UnreadIn(of.conversation.id)),
                |_, count| count.map_or(0, |count| int(*count)).into(),
            )),
            "mentionCount" => Box::new(LoadedValue::new(
                |of: &Self| Some(MentionsIn(of.conversation.id)),
                |_, count| count.map_or(0, |count| int(*count)).into(),
            )),
            _ => return None,
        })
    }

    fn required_columns(name: &str, required_columns: &mut RequiredColumns) {
        let (of_conversation, of_participant): (&[&str], &[&str]) = match name {
            "__typename" | "mentionCount" => (&[], &[]),
            "id" => (&[], &["id"]),
            "notificationLevel" => (&[], &["notification_level"]),
            "isPinned" => (&[], &["is_pinned"]),
            "isArchived" => (&["last_seq"], &["archived_seq"]),
            "canSend" => (&[], &["role"]),
            "canUpdate"
            | "canAddParticipants"
            | "canRemoveParticipants"
            | "canChangeRoles"
            | "canModerate"
            | "canDelete" => (&["kind"], &["role"]),
            "unreadCount" => {
                required_columns.unread = true;
                (&[], &[])
            }
            _ => (conversation::Model::COLUMNS, participant::Model::COLUMNS),
        };
        required_columns.conversation.extend(of_conversation);
        required_columns.participant.extend(of_participant);
        // The key of the row.
        required_columns.participant.insert("conversation_id");
    }
}
