//! The face: what the rules look like as a schema. Divided by noun, never by kind; no rules, no
//! transactions. This file is the only list of nouns.

use async_graphql::{
    MergedObject, MergedSubscription, Request, SDLExportOptions, dataloader::DataLoader,
};

use crate::{app::App, graphql::loaders::Loaders};

pub mod accounts;
pub mod context;
pub mod conversations;
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
pub mod scalars;
pub mod server;
pub mod sessions;
pub mod threads;
pub mod users;

/// Entry points for reading. Each is null when the object does not exist or the viewer may not see it.
#[derive(MergedObject, Default, Debug)]
pub struct Query(
    accounts::AccountQuery,
    conversations::ConversationQuery,
    events::EventQuery,
    messages::MessageQuery,
    nodes::NodeQuery,
    threads::ThreadQuery,
    server::ServerQuery,
    users::UserQuery,
);

/// Changes. Each takes one `input` and returns a payload. A failed one is null and adds one request
/// error with `extensions.code`; it changed nothing.
#[derive(MergedObject, Default, Debug)]
pub struct Mutation(
    accounts::AccountMutation,
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

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema over a running server.
#[must_use]
pub fn schema(app: &App) -> Schema {
    builder().data(app.clone()).finish()
}

/// The schema as text, sorted: what `schema.graphql` holds.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    builder().finish().sdl_with_options(options)
}

/// Attaches to a request what its resolvers need: who asks, and fresh loaders.
pub fn prepare(app: &App, caller: context::Caller, mut request: Request) -> Request {
    // What cannot be read is not executed.
    let document = request.parsed_query().ok();
    let may_repeat_fields = context::DocumentShape {
        may_repeat_fields: document.is_some_and(loaders::may_repeat_fields),
        has_mergeable_fields: document.is_some_and(loaders::has_mergeable_fields),
    };
    let loaders = Loaders::new(app, caller.clone());
    let loader =
        DataLoader::new(loaders, crate::db::spawn_with_stats).delay(app.config.loader_delay);
    // Looked up before anything is loaded: what is loaded is then at least as new.
    let reached = context::ReadWatermark(app.hub.reached());
    request
        .data(caller)
        .data(loader)
        .data(reached)
        .data(may_repeat_fields)
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(
        Query::default(),
        Mutation::default(),
        Subscription::default(),
    )
    .disable_suggestions()
}
