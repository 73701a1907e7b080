//! One socket, and what waits to be sent on it, bounded in number and size. Answers never wait: a client that asks more
//! than it reads is cut off. Events do: a stream goes on when there is room again, since the log keeps what follows.
//!
//! As long as the client keeps up, whoever has an event for it sends it there and then: nobody else is woken for it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{Sink, Stream};
use tokio::sync::{Notify, Semaphore};

use super::protocol::Close;

/// Messages that may wait.
const MESSAGES: usize = 256;
/// Bytes of answers that may wait, beside one answer of any size.
const ANSWERS: usize = 1024 * 1024;
/// Bytes of events that may wait, beside one event of any size.
const EVENTS: usize = 512 * 1024;
/// An event counts as at least so many bytes: they leave half of the messages to answers.
const EVENT: usize = EVENTS / (MESSAGES / 2);

/// One thing to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message of the protocol.
    Text(String),
    /// A ping of the WebSocket itself.
    Ping,
    /// The end.
    Close(Close),
}

impl Frame {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Ping | Self::Close(_) => 0,
        }
    }
}

impl From<Frame> for Message {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Text(text) => Self::Text(text.into()),
            Frame::Ping => Self::Ping(bytes::Bytes::new()),
            Frame::Close(Close { code, reason }) => {
                let reason = reason.into();
                Self::Close(Some(CloseFrame { code, reason }))
            }
        }
    }
}

/// The room that a frame takes until it was sent, in bytes.
#[derive(Clone, Copy, Debug)]
enum Budget {
    GraphqlResponse(usize),
    Event(usize),
}

/// A socket that many may write to.
#[derive(Debug)]
pub(super) struct FrameQueue<S = WebSocket>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    line: Mutex<Queue<S>>,
    /// What is left for events.
    room: Semaphore,
    /// Rung when something waits to be sent.
    waits: Notify,
    overflow: Notify,
}

#[derive(Debug)]
struct Queue<S> {
    socket: S,
    waiting: VecDeque<(Frame, Budget)>,
    /// The room of what the socket was given and has not sent yet.
    sending: Option<Budget>,
    /// Bytes of answers that wait.
    answers: usize,
    pace: Backpressure,
    /// Whether more came than may wait. From then on nothing is put there: what came after a gap would move the
    /// client's cursor over it.
    is_full: bool,
    /// Whether a close was sent, or nothing can be.
    is_over: bool,
}

/// How far the socket keeps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backpressure {
    /// It has sent everything that it was given.
    Idle,
    /// It was given events that it may not have sent yet.
    PreloadedEvent,
    /// It has no room. What waits for it is sent by its own task.
    Blocked,
}

impl<S> Clone for FrameQueue<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Sink<Message> + Unpin> FrameQueue<S> {
    pub(super) fn new(socket: S) -> Self {
        let line = Queue {
            socket,
            waiting: VecDeque::new(),
            sending: None,
            answers: 0,
            pace: Backpressure::Idle,
            is_full: false,
            is_over: false,
        };
        Self(Arc::new(Shared {
            line: Mutex::new(line),
            room: Semaphore::new(EVENTS),
            waits: Notify::new(),
            overflow: Notify::new(),
        }))
    }

    fn line(&self) -> MutexGuard<'_, Queue<S>> {
        let line = &self.0.line;
        line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a frame wait to be sent, or gives the socket up when too many do.
    pub(super) fn push(&self, frame: Frame) {
        let mut line = self.line();
        if line.is_full {
            return;
        }
        let size = frame.size().min(ANSWERS);
        line.is_full = line.answers + size > ANSWERS || line.waiting.len() >= MESSAGES;
        if line.is_full {
            self.0.overflow.notify_one();
        } else {
            line.answers += size;
            line.waiting
                .push_back((frame, Budget::GraphqlResponse(size)));
        }
        self.0.waits.notify_one();
    }

    /// Gives the socket an event, when there is room for it. It may keep it until [`FrameQueue::flush`].
    pub(super) async fn push_in_turn(&self, frame: Frame) {
        let Some(frame) = self.give(frame) else {
            return;
        };
        let size = frame.size().clamp(EVENT, EVENTS);
        let room = self
            .0
            .room
            .acquire_many(u32::try_from(size).unwrap_or(u32::MAX));
        if let Ok(room) = room.await {
            room.forget();
        }
        let mut line = self.line();
        if !line.is_full {
            line.waiting.push_back((frame, Budget::Event(size)));
            self.0.waits.notify_one();
        }
    }

    /// Gives the socket an event if nothing else waits for it, or else back.
    fn give(&self, frame: Frame) -> Option<Frame> {
        let mut line = self.line();
        if line.is_full || line.is_over {
            return None;
        }
        if line.pace == Backpressure::Blocked || !line.waiting.is_empty() {
            return Some(frame);
        }
        line.pace = Backpressure::PreloadedEvent;
        let given = Pin::new(&mut line.socket).start_send(frame.into());
        let mut context = Context::from_waker(Waker::noop());
        let ready = Pin::new(&mut line.socket).poll_ready(&mut context);
        if given.is_err() || !matches!(ready, Poll::Ready(Ok(()))) {
            // The socket's own task waits for room, or finds out that there is no socket any more.
            line.pace = Backpressure::Blocked;
            self.0.waits.notify_one();
        }
        None
    }

    /// Sends the events that the socket was given.
    pub(super) fn flush(&self) {
        let mut line = self.line();
        if line.pace != Backpressure::PreloadedEvent {
            return;
        }
        let mut context = Context::from_waker(Waker::noop());
        let flushed = Pin::new(&mut line.socket).poll_flush(&mut context);
        if let Poll::Ready(Ok(())) = flushed {
            line.pace = Backpressure::Idle;
        } else {
            line.pace = Backpressure::Blocked;
            self.0.waits.notify_one();
        }
    }

    /// Sends what waits until a close was sent, or nothing can be.
    pub(super) async fn send(&self) {
        loop {
            let sending = poll_fn(|context| self.line().poll_send(context, &self.0.room));
            if sending.await {
                return;
            }
            self.0.waits.notified().await;
        }
    }

    /// Waits until more came than may wait.
    pub(super) async fn overflowed(&self) {
        self.0.overflow.notified().await;
    }
}

impl<S: Stream + Unpin> FrameQueue<S> {
    /// What comes next from the other side.
    pub(super) async fn hear(&self) -> Option<S::Item> {
        poll_fn(|context| {
            let mut line = self.0.line.lock().unwrap_or_else(PoisonError::into_inner);
            Pin::new(&mut line.socket).poll_next(context)
        })
        .await
    }
}

impl<S: Sink<Message> + Unpin> Queue<S> {
    /// Sends all that waits, and then tells whether it is over. Whoever is given up is still sent what had found room,
    /// so that they resume further on each time, however slowly they read.
    fn poll_send(&mut self, context: &mut Context<'_>, room: &Semaphore) -> Poll<bool> {
        self.pace = Backpressure::Blocked;
        loop {
            let flushed = ready!(Pin::new(&mut self.socket).poll_flush(context));
            match self.sending.take() {
                Some(Budget::GraphqlResponse(size)) => self.answers -= size,
                Some(Budget::Event(size)) => room.add_permits(size),
                None => {}
            }
            if flushed.is_err() || self.is_over {
                self.is_over = true;
                return Poll::Ready(true);
            }
            let (frame, room) = match self.waiting.pop_front() {
                Some(next) => next,
                None if self.is_full => (Frame::Close(Close::TOO_SLOW), Budget::GraphqlResponse(0)),
                None => break,
            };
            self.is_over = matches!(frame, Frame::Close(_));
            self.sending = Some(room);
            if Pin::new(&mut self.socket).start_send(frame.into()).is_err() {
                self.is_over = true;
                return Poll::Ready(true);
            }
        }
        self.pace = Backpressure::Idle;
        Poll::Ready(false)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::FutureExt;
    use tokio::task::unconstrained;

    use super::*;

    /// A socket whose client reads when it is told to.
    #[derive(Debug, Default)]
    struct Tap {
        /// How many messages it has room for.
        room: usize,
        given: VecDeque<Message>,
        sent: Vec<Message>,
    }

    impl Sink<Message> for Tap {
        type Error = Infallible;

        fn poll_ready(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Result<(), Infallible>> {
            self.poll_flush(context)
        }

        fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Infallible> {
            self.given.push_back(message);
            Ok(())
        }

        fn poll_flush(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<(), Infallible>> {
            let count = self.room.min(self.given.len());
            self.room -= count;
            let sent: Vec<_> = self.given.drain(..count).collect();
            self.sent.extend(sent);
            if self.given.is_empty() {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        }

        fn poll_close(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Result<(), Infallible>> {
            self.poll_flush(context)
        }
    }

    impl FrameQueue<Tap> {
        /// One whose socket has no room from the beginning.
        fn blocked() -> Self {
            let outbox = Self::new(Tap::default());
            assert_eq!(outbox.push_in_turn(Frame::Ping).now_or_never(), Some(()));
            assert_eq!(outbox.line().pace, Backpressure::Blocked);
            outbox
        }

        /// The client reads so many messages; what is sent then.
        fn reads(&self, count: usize) -> Vec<Message> {
            self.line().socket.room = count;
            let _ = unconstrained(self.send()).now_or_never();
            self.line().socket.room = 0;
            std::mem::take(&mut self.line().socket.sent)
        }

        fn is_full(&self) -> bool {
            self.line().is_full
        }
    }

    fn text(length: usize) -> Frame {
        Frame::Text("x".repeat(length))
    }

    fn message(frame: Frame) -> Message {
        frame.into()
    }

    #[tokio::test]
    async fn while_nothing_waits_events_are_sent_by_whoever_has_them() {
        let outbox = FrameQueue::new(Tap {
            room: 1,
            ..Tap::default()
        });
        outbox.push_in_turn(text(1)).await;
        outbox.flush();
        assert_eq!(outbox.line().socket.sent, [message(text(1))]);
        outbox.push_in_turn(text(2)).await;
        outbox.push_in_turn(text(3)).await;
        outbox.push(text(4));
        assert_eq!(outbox.reads(0), [message(text(1))]);
        assert_eq!(
            outbox.reads(3),
            [2, 3, 4].map(|length| message(text(length)))
        );
        outbox.line().socket.room = 1;
        outbox.push_in_turn(text(5)).await;
        outbox.flush();
        assert_eq!(outbox.line().socket.sent, [message(text(5))]);
    }

    #[tokio::test]
    async fn a_full_queue_gives_the_socket_up() {
        let outbox = FrameQueue::blocked();
        for _ in 0..256 {
            outbox.push(text(1));
        }
        assert!(!outbox.is_full());
        outbox.push(text(1));
        outbox.overflowed().await;
        outbox.push(text(1));
        outbox.push_in_turn(text(1)).await;
        assert_eq!(outbox.reads(1), [message(Frame::Ping)]);
        for _ in 0..256 {
            assert_eq!(outbox.reads(1), [message(text(1))]);
            outbox.push(text(1));
            outbox.push_in_turn(text(1)).await;
        }
        let last = message(Frame::Close(Close::TOO_SLOW));
        assert_eq!(outbox.reads(2), [last]);
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_sent() {
        let outbox = FrameQueue::blocked();
        outbox.reads(1);
        for _ in 0..5 {
            outbox.push(text(ANSWERS));
            assert_eq!(outbox.reads(1), [message(text(ANSWERS))]);
        }
        outbox.push(text(ANSWERS));
        assert_eq!(outbox.reads(0), []);
        assert!(!outbox.is_full());
        outbox.push(text(1));
        assert!(outbox.is_full());
    }

    #[tokio::test]
    async fn one_message_may_be_larger_than_the_queue() {
        let outbox = FrameQueue::blocked();
        outbox.push(text(3 * ANSWERS));
        outbox.push_in_turn(text(3 * EVENTS)).await;
        let sent = [Frame::Ping, text(3 * ANSWERS), text(3 * EVENTS)];
        assert_eq!(outbox.reads(3), sent.map(message));
        outbox.push(text(1));
        assert!(!outbox.is_full());
    }

    #[tokio::test]
    async fn events_wait_for_room_and_answers_pass_them() {
        let outbox = FrameQueue::blocked();
        outbox.push_in_turn(text(EVENTS - 1)).await;
        let mut next = Box::pin(outbox.push_in_turn(text(EVENT)));
        assert_eq!((&mut next).now_or_never(), None);
        outbox.push(text(ANSWERS));
        // Given to the socket is not sent.
        assert_eq!(outbox.reads(1), [message(Frame::Ping)]);
        assert_eq!((&mut next).now_or_never(), None);
        assert_eq!(outbox.reads(1), [message(text(EVENTS - 1))]);
        next.await;
        assert_eq!(outbox.reads(2), [text(ANSWERS), text(EVENT)].map(message));
        assert!(!outbox.is_full());
    }

    #[tokio::test]
    async fn many_small_events_leave_room_for_answers() {
        let outbox = FrameQueue::blocked();
        let mut events = 0;
        while let Some(()) = unconstrained(outbox.push_in_turn(text(1))).now_or_never() {
            events += 1;
        }
        assert_eq!(events, 128);
        for _ in 0..128 {
            outbox.push(text(1));
        }
        assert!(!outbox.is_full());
    }
}
