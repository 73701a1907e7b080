//! One loader per request, holding the viewer. Each noun teaches it keys in its own `loader.rs`,
//! named after the question: `UserKey`, `RepliesOf`.

use std::collections::HashMap;

use crate::{
    app::App,
    domain::sessions::Viewer,
    error::Error,
    graphql::{context::Caller, errors::Refusal},
};

/// Answers the questions of one request in as few statements as there are kinds of question.
#[derive(Debug)]
pub struct Batch {
    app: App,
    caller: Caller,
}

impl Batch {
    /// A loader for this caller.
    #[must_use]
    pub fn new(app: &App, caller: Caller) -> Self {
        Self {
            app: app.clone(),
            caller,
        }
    }

    /// The running server.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The signed-in person.
    pub fn viewer(&self) -> Result<&Viewer, Refusal> {
        self.caller
            .viewer()
            .ok_or_else(|| Refusal::from(Error::unauthenticated()))
    }
}

/// Rows under the key that each of them has.
pub(crate) fn by_key<K, R, V>(
    rows: Vec<R>,
    key: impl Fn(&R) -> K,
    value: impl Fn(R) -> V,
) -> HashMap<K, V>
where
    K: Eq + std::hash::Hash,
{
    rows.into_iter()
        .map(|row| (key(&row), value(row)))
        .collect()
}
