//! `Query.eventCursor`.

use async_graphql::{Context, Object};

use crate::{
    error::{Code, Error},
    graphql::{
        context::{app, caller, reached},
        errors::{Result, nullable},
    },
};

/// Entry points of events.
#[derive(Default, Debug)]
pub struct EventQuery;

#[Object]
impl EventQuery {
    /// Event-stream position this response is at least as new as. Select it together with the state you load,
    /// then subscribe to `events(after:)` with it: no event is missed, and repeated ones are harmless. Null when
    /// signed out.
    async fn event_cursor(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        nullable(async {
            let Some(viewer) = caller(ctx).viewer() else {
                return Ok(None);
            };
            let not_yet = || Error::new(Code::Unavailable, "The server is starting; try again.");
            let cursor = reached(ctx).ok_or_else(not_yet)?;
            Ok(Some(cursor.seal(&app(ctx).keys, viewer.user)))
        })
        .await
    }
}
