//! Answers of the people in the stories that go on: server-sent events.

use std::time::Duration;

use reqwest::{Client, Response, header::ACCEPT};
use serde_json::{Value, json};

use super::{app::TestApp, person::Person};

/// Nothing takes this long unless it never happens.
const PATIENCE: Duration = Duration::from_secs(40);

/// One answer as it arrives.
pub(crate) struct Stream {
    pub(crate) response: Response,
    unread: String,
}

/// What a stream says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// An answer, and the id that the client keeps.
    Next(Value, Option<String>),
    /// Nothing more will follow.
    Complete,
    /// The connection ended.
    End,
}

impl Stream {
    /// A person asks, and goes on after the event that they heard last.
    pub(crate) async fn open(
        app: &TestApp,
        who: &Person,
        query: &str,
        variables: Value,
        last_event_id: Option<&str>,
    ) -> Self {
        let mut request = Client::new()
            .post(app.url("/graphql"))
            .header(ACCEPT, "text/event-stream")
            .json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = &who.token {
            request = request.bearer_auth(token);
        }
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        Self::of(request.send().await.unwrap())
    }

    pub(crate) fn of(response: Response) -> Self {
        Self {
            response,
            unread: String::new(),
        }
    }

    /// The next block of lines; none at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.unwrap().unwrap()?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next thing it says. Comments come also when nothing else ever does.
    pub(crate) async fn says(&mut self) -> Said {
        tokio::time::timeout(PATIENCE, self.hears_out())
            .await
            .unwrap()
    }

    async fn hears_out(&mut self) -> Said {
        while let Some(block) = self.block().await {
            let field = |name: &str| {
                let mut lines = block.lines().filter_map(|line| line.split_once(':'));
                let found = lines.find(|(field, _)| *field == name);
                found.map(|(_, value)| value.trim_start().to_owned())
            };
            match field("event").as_deref() {
                Some("next") => {
                    let data = serde_json::from_str(&field("data").unwrap()).unwrap();
                    return Said::Next(data, field("id"));
                }
                Some("complete") => return Said::Complete,
                other => assert_eq!(other, None, "{block}"),
            }
        }
        Said::End
    }

    /// The next event's data and id.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = (Value, Option<String>)> {
        let place = std::panic::Location::caller();
        async move {
            match self.says().await {
                Said::Next(mut answer, id) => {
                    assert!(answer.get("errors").is_none(), "{place}: {answer:#}");
                    (answer["data"].take(), id)
                }
                other => panic!("{place}: {other:?}"),
            }
        }
    }
}
