//! The inputs and payloads of blocks.

use async_graphql::{InputObject, SimpleObject};

use crate::{graphql::users::types::User, id::UserId};

/// The user to block.
#[derive(InputObject)]
pub struct BlockUserInput {
    /// The user.
    pub user_id: UserId,
}

/// Result of blockUser.
#[derive(SimpleObject)]
pub struct BlockUserPayload {
    /// The user.
    pub user: Option<User>,
}

/// The user to unblock.
#[derive(InputObject)]
pub struct UnblockUserInput {
    /// The user.
    pub user_id: UserId,
}

/// Result of unblockUser.
#[derive(SimpleObject)]
pub struct UnblockUserPayload {
    /// The user.
    pub user: Option<User>,
}
