//! The fields of `Membership` that list plans serialise.

use async_graphql::resolver_utils::enum_value;

use crate::{
    domain::conversations::ListColumn::{self, Conversation, Participant, Unread},
    entity::{
        conversation::Column as C,
        participant::{Column as P, ParticipantRole},
    },
    graphql::{
        list_plan::{FieldRow, PlannedObject, loaded_value, nested, value},
        participants::types::{Membership, NotificationLevel},
        reads::{
            loader::{MentionsIn, UnreadIn},
            types::int,
        },
    },
    id::MembershipId,
};

/// The columns of the permissions.
const ROLE: &[ListColumn] = &[Conversation(C::Kind), Participant(P::Role)];

/// A permission that moderators of a group have.
const fn of_moderators(name: &'static str) -> FieldRow<Membership> {
    value(name, ROLE, |of| {
        of.in_group_at_least(ParticipantRole::Moderator).into()
    })
}

impl PlannedObject for Membership {
    type Column = ListColumn;

    const FIELDS: &'static [FieldRow<Self>] = &[
        value("id", &[Participant(P::Id)], |of| {
            MembershipId(of.participant.id.0).to_string().into()
        }),
        value(
            "notificationLevel",
            &[Participant(P::NotificationLevel)],
            |of| enum_value(NotificationLevel::from(of.participant.notification_level)),
        ),
        value("isPinned", &[Participant(P::IsPinned)], |of| {
            of.participant.is_pinned.into()
        }),
        value(
            "isArchived",
            &[Conversation(C::LastSeq), Participant(P::ArchivedSeq)],
            |of| of.participant.is_archived(of.conversation.last_seq).into(),
        ),
        value("canSend", &[Participant(P::Role)], |of| {
            of.participant.role.may_send().into()
        }),
        of_moderators("canUpdate"),
        of_moderators("canAddParticipants"),
        of_moderators("canRemoveParticipants"),
        of_moderators("canChangeRoles"),
        of_moderators("canModerate"),
        value("canDelete", ROLE, |of| {
            of.in_group_at_least(ParticipantRole::Owner).into()
        }),
        nested("unreadCount", &[Unread], |_| {
            loaded_value(
                |of: &Self| Some(UnreadIn(of.conversation.id)),
                |_, count| count.map_or(0, |&count| int(count)).into(),
            )
        }),
        nested("mentionCount", &[], |_| {
            loaded_value(
                |of: &Self| Some(MentionsIn(of.conversation.id)),
                |_, count| count.map_or(0, |&count| int(count)).into(),
            )
        }),
    ];
}
