//! A socket for tests, without a connection.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Sink, Stream};
use tokio_tungstenite::tungstenite::Message;

/// A socket whose client reads only as many messages as the test allows.
#[derive(Debug, Default)]
pub(super) struct FakeSocket {
    /// Messages that the client still reads.
    pub(super) room: usize,
    /// Messages that wait for room.
    pub(super) buffered: VecDeque<Message>,
    pub(super) sent: Vec<Message>,
    /// Messages that the client has sent.
    pub(super) received: VecDeque<Message>,
}

impl Sink<Message> for FakeSocket {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_flush(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Infallible> {
        self.buffered.push_back(message);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        while self.room > 0
            && let Some(message) = self.buffered.pop_front()
        {
            self.room -= usize::from(!is_fragment(&message));
            self.sent.push(message);
        }
        if self.buffered.is_empty() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_flush(context)
    }
}

impl Stream for FakeSocket {
    type Item = Result<Message, Infallible>;

    /// Like the library, returns a ping after it has queued the pong.
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = self.received.pop_front();
        if let Some(Message::Ping(payload)) = &message {
            let pong = Message::Pong(payload.clone());
            self.buffered.push_back(pong);
        }
        Poll::Ready(message.map(Ok))
    }
}

/// Whether the rest of the message follows.
fn is_fragment(message: &Message) -> bool {
    matches!(message, Message::Frame(frame) if !frame.header().is_final)
}

/// Joins the fragments of each message.
pub(super) fn joined(sent: Vec<Message>, max_fragment: usize) -> Vec<Message> {
    let (mut messages, mut text) = (vec![], String::new());
    for message in sent {
        let Message::Frame(frame) = message else {
            messages.push(message);
            continue;
        };
        assert!(frame.payload().len() <= max_fragment);
        text.push_str(frame.to_text().unwrap());
        if frame.header().is_final {
            messages.push(Message::text(std::mem::take(&mut text)));
        }
    }
    messages
}
