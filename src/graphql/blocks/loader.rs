//! Loader of blocks.

use crate::{
    domain::blocks::{self, BlockState},
    graphql::loaders::{Loaders, loader},
    id::UserId,
};

loader!(
    /// Loads the blocks between this user and the viewer, in both directions; absent if there is none.
    BlocksWith(UserId) -> BlockState,
    |app, viewer, ids| blocks::states(app.db.read(), viewer, ids).await?
);
