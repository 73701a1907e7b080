//! Responses that are streams of server-sent events.

use std::time::Duration;

use reqwest::{Client, Response, header::ACCEPT};
use serde_json::{Value, json};

use super::{app::TestApp, person::Person};

/// No event takes this long unless it never arrives.
const PATIENCE: Duration = Duration::from_secs(40);

/// One response while it arrives.
pub(crate) struct Stream {
    pub(crate) response: Response,
    unread: String,
}

/// A frame of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    /// A response, and the id that the client stores.
    Next(Value, Option<String>),
    /// The operation is complete.
    Complete,
    /// The connection ended.
    End,
}

impl Stream {
    /// Sends an operation as this user, and resumes after the last event that they received.
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

    /// Returns the next block of lines; none at the end.
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

    /// Returns the next frame. The timeout is needed because comments arrive even without events.
    pub(crate) async fn next_frame(&mut self) -> Frame {
        tokio::time::timeout(PATIENCE, self.read_event())
            .await
            .unwrap()
    }

    async fn read_event(&mut self) -> Frame {
        while let Some(block) = self.block().await {
            let field = |name: &str| {
                let mut lines = block.lines().filter_map(|line| line.split_once(':'));
                let found = lines.find(|(field, _)| *field == name);
                found.map(|(_, value)| value.trim_start().to_owned())
            };
            match field("event").as_deref() {
                Some("next") => {
                    let data = serde_json::from_str(&field("data").unwrap()).unwrap();
                    return Frame::Next(data, field("id"));
                }
                Some("complete") => return Frame::Complete,
                other => assert_eq!(other, None, "{block}"),
            }
        }
        Frame::End
    }

    /// Returns the data and the id of the next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = (Value, Option<String>)> {
        let caller = std::panic::Location::caller();
        async move {
            match self.next_frame().await {
                Frame::Next(mut result, id) => {
                    assert!(result.get("errors").is_none(), "{caller}: {result:#}");
                    (result["data"].take(), id)
                }
                other => panic!("{caller}: {other:?}"),
            }
        }
    }
}
