//! The GraphQL API over the domain, divided by noun and never by kind. It has no rules and opens no transaction. This
//! file is the only list of nouns.

use async_graphql::{MergedObject, MergedSubscription};

pub use schema::{Schema, declared_sdl, prepare, schema, sdl};

pub mod accounts;
pub mod admin;
pub mod batches;
pub mod blocks;
pub mod caller;
mod connection;
pub mod context;
pub mod conversations;
mod document;
pub mod errors;
pub mod events;
pub mod list_plan;
pub mod loaders;
mod lookahead;
pub mod messages;
pub mod nodes;
pub mod notifications;
pub mod pagination;
pub mod participants;
pub mod presence;
pub mod reads;
pub mod response_size;
pub mod scalars;
mod schema;
pub mod server;
pub mod sessions;
mod text_filter;
pub mod threads;
pub mod users;

/// Entry points for reading. Each is null when the object does not exist or the viewer may not see it.
#[derive(MergedObject, Default, Debug)]
pub struct Query(
    accounts::AccountQuery,
    admin::AdminQuery,
    conversations::ConversationQuery,
    events::EventQuery,
    messages::MessageQuery,
    nodes::NodeQuery,
    threads::ThreadQuery,
    server::ServerQuery,
    users::UserQuery,
);

/// Changes. Each takes one `input` and returns a payload. A failed one is null, adds one request error
/// with `extensions.code`, and changes nothing.
#[derive(MergedObject, Default, Debug)]
pub struct Mutation(
    accounts::AccountMutation,
    accounts::RecoveryMutation,
    accounts::SecondFactorMutation,
    admin::AdminMutation,
    blocks::BlockMutation,
    conversations::ConversationMutation,
    messages::MessageMutation,
    notifications::NotificationMutation,
    reads::ReadMutation,
    threads::ThreadMutation,
    sessions::SessionMutation,
    participants::ParticipantMutation,
    presence::PresenceMutation,
);

/// Live updates, over WebSocket or server-sent events.
#[derive(MergedSubscription, Default, Debug)]
pub struct Subscription(events::EventSubscription);
