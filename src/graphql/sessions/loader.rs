//! The loader of sessions.

use crate::{
    domain::sessions,
    entity::session,
    graphql::{
        loaders::{Loaders, by_id},
        sessions::types::Session,
    },
    id::SessionId,
};

by_id!(
    /// Loads the viewer's session with this id.
    SessionKey(SessionId) -> Session = Session,
    session::Column::Id, |app, viewer| sessions::active(viewer.user, app.clock.now())
);
