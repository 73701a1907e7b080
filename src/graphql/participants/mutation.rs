//! The participant mutations.

use async_graphql::{Context, Object};

use crate::{
    domain::{conversations, participants},
    graphql::{
        context::{app, viewer},
        conversations::types::Conversation,
        errors::{Result, nullable},
        participants::{
            inputs::{
                AddParticipantsInput, AddParticipantsPayload, ChangeParticipantRoleInput,
                ChangeParticipantRolePayload, LeaveConversationInput, LeaveConversationPayload,
                RemoveParticipantInput, RemoveParticipantPayload,
            },
            types::Participant,
        },
    },
};

/// The participant mutations.
#[derive(Default, Debug)]
pub struct ParticipantMutation;

#[Object]
impl ParticipantMutation {
    /// Add people to a group. Moderators may do this, with a role below their own.
    async fn add_participants(
        &self,
        ctx: &Context<'_>,
        input: AddParticipantsInput,
    ) -> Option<Result<AddParticipantsPayload>> {
        nullable(async {
            let (app, viewer) = (app(ctx), viewer(ctx)?);
            let AddParticipantsInput {
                conversation_id,
                user_ids,
                role,
            } = input;
            let added =
                participants::add(app, viewer, conversation_id, &user_ids, role.into()).await?;
            Ok(Some(AddParticipantsPayload {
                conversation: Some(Conversation(added.conversation)),
                participants: added.participants.into_iter().map(Participant).collect(),
            }))
        })
        .await
    }

    /// Remove someone from a group. Moderators may remove anyone below OWNER.
    async fn remove_participant(
        &self,
        ctx: &Context<'_>,
        input: RemoveParticipantInput,
    ) -> Option<Result<RemoveParticipantPayload>> {
        nullable(async {
            let (app, viewer) = (app(ctx), viewer(ctx)?);
            let removed = participants::remove(app, viewer, input.conversation_id, input.user_id);
            let removed = removed.await?;
            Ok(Some(RemoveParticipantPayload {
                conversation: Some(Conversation(removed.conversation)),
                removed_participant_id: Some(removed.participant),
            }))
        })
        .await
    }

    /// Change someone's role in a group. Giving OWNER transfers ownership: the former owner becomes
    /// MODERATOR. Owners change every other role; moderators change OBSERVER to MEMBER and back.
    async fn change_participant_role(
        &self,
        ctx: &Context<'_>,
        input: ChangeParticipantRoleInput,
    ) -> Option<Result<ChangeParticipantRolePayload>> {
        nullable(async {
            let (app, viewer) = (app(ctx), viewer(ctx)?);
            let ChangeParticipantRoleInput {
                conversation_id,
                user_id,
                role,
            } = input;
            let role = role.into();
            let changed = participants::change_role(app, viewer, conversation_id, user_id, role);
            Ok(Some(ChangeParticipantRolePayload {
                participant: Some(Participant(changed.await?)),
            }))
        })
        .await
    }

    /// Leave a group. The last person to leave deletes it; the only owner must transfer ownership first.
    async fn leave_conversation(
        &self,
        ctx: &Context<'_>,
        input: LeaveConversationInput,
    ) -> Option<Result<LeaveConversationPayload>> {
        nullable(async {
            let id = input.conversation_id;
            conversations::leave(app(ctx), viewer(ctx)?, id).await?;
            Ok(Some(LeaveConversationPayload {
                left_conversation_id: Some(id),
            }))
        })
        .await
    }
}
