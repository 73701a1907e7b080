//! The executable schema, its text, and the preparation of a request for it.

use std::sync::Arc;

use async_graphql::{Request, SDLExportOptions, ValidationMode};

use crate::{
    app::App,
    graphql::{
        Mutation, Query, Subscription,
        batches::Batches,
        caller::Caller,
        context::ReadWatermark,
        document::DocumentShape,
        list_plan::PlanCache,
        loaders::{Loaders, RequestBatches},
    },
};

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema over a running server.
#[must_use]
pub fn schema(app: &App) -> Schema {
    builder().data(app.clone()).finish()
}

/// The schema as sorted text, as stored in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    builder().finish().sdl_with_options(options)
}

/// The schema as text, in the order of its declarations, in which introspection presents it.
#[must_use]
pub fn declared_sdl(schema: &Schema) -> String {
    schema.sdl_with_options(SDLExportOptions::new().include_specified_by())
}

/// Attaches the data that resolvers need to a request: the caller, new loaders and the shape of the document. The request
/// is executed within [`Batches::run`].
pub fn prepare(app: &App, caller: Caller, mut request: Request) -> (Request, Arc<RequestBatches>) {
    // A document that cannot be parsed is not executed.
    let document = request.parsed_query().ok();
    let shape = document.map(DocumentShape::of).unwrap_or_default();
    let loaders = Loaders::new(app, caller.clone());
    let batches = Arc::new(Batches::new(loaders));
    // This is read before anything is loaded, so that the loaded data is at least as new.
    let watermark = ReadWatermark(app.hub.reached());
    let request = request
        .data(caller)
        .data(Arc::clone(&batches))
        .data(watermark)
        .data(shape)
        .data(PlanCache::default());
    (request, batches)
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(
        Query::default(),
        Mutation::default(),
        Subscription::default(),
    )
    // The guard validates documents and executes introspection. This mode has the fewest rules.
    .validation_mode(ValidationMode::Fast)
    .disable_introspection()
}
