//! The texts by which lists are filtered.

use crate::{
    app::App,
    auth::action_limits::Action,
    domain::{sessions::Viewer, text},
    error::{Error, Problem},
    graphql::errors::Result,
};

/// Maximum length, in characters. The database compares the text with every row that the other conditions select.
const MAX_LENGTH: usize = 200;

/// The text of a filter, from its argument `filter`; none if nothing of it is visible, which selects everything. Counts
/// as a search of the viewer.
pub(super) async fn read(
    app: &App,
    viewer: &Viewer,
    text: Option<String>,
) -> Result<Option<String>> {
    let text = text.filter(|text| text::is_visible_text(text));
    let Some(text) = text else { return Ok(None) };
    if text.chars().nth(MAX_LENGTH).is_none() {
        app.action_limits
            .consume(viewer.user.0, Action::Search)
            .await?;
        return Ok(Some(text));
    }
    let problem = Problem {
        path: ["filter", "text"].map(str::to_owned).to_vec(),
        code: "TOO_LONG",
        message: format!("Use at most {MAX_LENGTH} characters."),
    };
    Err(Error::problems(vec![problem]).into())
}
