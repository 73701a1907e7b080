//! Loaders of participants.

use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        pagination::{PageRequest, Slice},
        participants::{
            self, ListedParticipant, ParticipantCounts, ParticipantCursor, ParticipantNames,
        },
    },
    entity::participant::{self, ParticipantRole},
    graphql::loaders::{Loaders, by_id, loader, pages},
    id::{ConversationId, ParticipantId},
};

by_id!(
    /// Loads the participant with this id.
    ParticipantKey(ParticipantId) -> participant::Model = |row| row,
    participant::Column::Id, |app, viewer| participants::visible(viewer)
);

loader!(
    /// Loads the viewer's participant row in this conversation.
    MembershipOf(ConversationId) -> participant::Model,
    |app, viewer, ids| {
        let ids = participant::Column::ConversationId.is_in(ids.iter().copied());
        let rows = participants::own(viewer).filter(ids).all(app.db.read()).await?;
        rows.into_iter().map(|row| (row.conversation_id, row))
    }
);

loader!(
    /// Loads how many participants and owners this conversation has.
    CountsOf(ConversationId) -> ParticipantCounts,
    |app, viewer, ids| participants::counts(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads the names that an untitled conversation is shown with.
    NamesOf(ConversationId) -> ParticipantNames,
    |app, viewer, ids| participants::names(app.db.read(), viewer, ids).await?
);

pages!(
    /// Loads a page of the participants of this conversation.
    ParticipantsOf {
        /// The conversation.
        conversation: ConversationId,
        /// Only participants with this role.
        role: Option<ParticipantRole>,
        /// Which page, from the start.
        span: PageRequest<ParticipantCursor>,
    } -> Slice<ListedParticipant>,
    |app, viewer, ids| participants::pages(app.db.read(), viewer, ids, *role, span).await?
);
