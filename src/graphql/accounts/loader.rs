//! Loaders of accounts.

use crate::{
    domain::accounts,
    graphql::loaders::{Loaders, loader},
    id::UserId,
};

loader!(
    /// Loads whether a trusted issuer signs tokens for this user; absent otherwise.
    HasIdentity(UserId) -> bool,
    |app, _viewer, ids| {
        let found = accounts::with_identity(app.db.read(), ids).await?;
        found.into_iter().map(|user| (user, true))
    }
);
