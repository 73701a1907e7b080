//! Loaders of the administration area.

use crate::{
    domain::sessions,
    graphql::loaders::{Loaders, loader},
    id::UserId,
};

loader!(
    /// Loads whether this user has a second factor; absent otherwise.
    HasSecondFactor(UserId) -> bool,
    |app, _viewer, ids| {
        let found = sessions::with_second_factor(app.db.read(), ids).await?;
        found.into_iter().map(|user| (user, true))
    }
);
