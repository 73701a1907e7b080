//! Loaders of participants.

use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        pagination::{PageRequest, Slice},
        participants::{self, ParticipantNames},
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
    /// Loads whether another participant of this conversation is an owner; absent otherwise.
    HasOtherOwner(ConversationId) -> bool,
    |app, viewer, ids| {
        let found = participants::with_other_owner(app.db.read(), viewer, ids).await?;
        found.into_iter().map(|conversation| (conversation, true))
    }
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
        span: PageRequest<String>,
    } -> Slice<participant::Model>,
    |app, viewer, ids| participants::pages(app.db.read(), viewer, ids, *role, span).await?
);
