//! The send queue of one socket, bounded in frames and bytes. A response never waits for room: if it does not fit, the
//! socket is closed, because the client requests more than it reads. An event waits: its stream continues when there is
//! room, and the log keeps the events after it.
//!
//! While the client keeps up, the task that has an event writes it to the socket directly. No other task wakes up.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::sync::{Notify, Semaphore};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            self,
            coding::{Data, OpCode},
        },
    },
};

use super::{metered_stream::Socket, protocol::Close};

/// Maximum frames in the queue.
const MAX_FRAMES: usize = 256;
/// Maximum bytes of queued responses. A single response may be larger.
const RESPONSE_BYTES: usize = 1024 * 1024;
/// Maximum bytes of queued events. A single event may be larger.
const EVENT_BYTES: usize = 512 * 1024;
/// Minimum bytes that an event counts as, so that events leave half of the frames to responses.
const MIN_EVENT_BYTES: usize = EVENT_BYTES / (MAX_FRAMES / 2);

/// Maximum bytes of a message that are written together. A longer message is sent in fragments, so that the write buffer
/// of the WebSocket library, which never shrinks, stays small.
pub(super) const FRAGMENT_BYTES: usize = 32 * 1024;

/// A frame to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message of the protocol.
    Text(String),
    /// A ping of the WebSocket protocol.
    Ping,
    /// The last frame.
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
            Frame::Ping => Self::Ping(Bytes::new()),
            Frame::Close(Close { code, reason }) => Self::Close(Some(CloseFrame {
                code: code.into(),
                reason: reason.into(),
            })),
        }
    }
}

/// The bytes that a frame reserves until it is sent.
#[derive(Clone, Copy, Debug)]
enum Budget {
    Response(usize),
    Event(usize),
}

/// A socket that several tasks write to.
#[derive(Debug)]
pub(super) struct FrameQueue<S = Socket>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    queue: Mutex<Queue<S>>,
    /// Bytes that events may still reserve.
    event_budget: Semaphore,
    /// Notified when the sending task has work.
    pending: Notify,
    overflow: Notify,
}

#[derive(Debug)]
struct Queue<S> {
    socket: S,
    frames: VecDeque<(Frame, Budget)>,
    /// Reserved by the frame that the socket holds and has not sent yet.
    sending: Option<Budget>,
    /// The bytes of that frame that the socket does not hold yet.
    remainder: Bytes,
    /// Whether the client has sent a ping, and the socket has not sent the pong yet.
    owes_pong: bool,
    /// Bytes of queued responses.
    response_bytes: usize,
    backpressure: Backpressure,
    /// Whether the queue has overflowed. It then accepts no frames: an event after a gap would move the client's cursor
    /// past the gap.
    is_full: bool,
    /// Whether a close frame was sent, or sending has failed.
    is_closed: bool,
}

/// Whether the socket keeps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backpressure {
    /// It has sent all its frames.
    Idle,
    /// It holds events that are not flushed yet.
    Unflushed,
    /// It accepts no more frames. Its own task sends the queued ones.
    Blocked,
}

impl<S> Clone for FrameQueue<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Sink<Message> + Unpin> FrameQueue<S> {
    pub(super) fn new(socket: S) -> Self {
        let queue = Queue {
            socket,
            frames: VecDeque::new(),
            sending: None,
            remainder: Bytes::new(),
            owes_pong: false,
            response_bytes: 0,
            backpressure: Backpressure::Idle,
            is_full: false,
            is_closed: false,
        };
        Self(Arc::new(Shared {
            queue: Mutex::new(queue),
            event_budget: Semaphore::new(EVENT_BYTES),
            pending: Notify::new(),
            overflow: Notify::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Queue<S>> {
        let queue = &self.0.queue;
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame. If the queue is full, the socket is closed instead.
    pub(super) fn push(&self, frame: Frame) {
        let mut queue = self.lock();
        if queue.is_full {
            return;
        }
        let size = frame.size().min(RESPONSE_BYTES);
        queue.is_full =
            queue.response_bytes + size > RESPONSE_BYTES || queue.frames.len() >= MAX_FRAMES;
        if queue.is_full {
            self.0.overflow.notify_one();
        } else {
            queue.response_bytes += size;
            queue.frames.push_back((frame, Budget::Response(size)));
        }
        self.0.pending.notify_one();
    }

    /// Sends or queues an event, and waits for room if necessary. The socket may hold the event until
    /// [`FrameQueue::flush`].
    pub(super) async fn push_event(&self, frame: Frame) {
        let Some(frame) = self.try_send(frame) else {
            return;
        };
        let size = frame.size().clamp(MIN_EVENT_BYTES, EVENT_BYTES);
        let budget = &self.0.event_budget;
        let reserved = budget.acquire_many(u32::try_from(size).unwrap_or(u32::MAX));
        if let Ok(permits) = reserved.await {
            permits.forget();
        }
        let mut queue = self.lock();
        if !queue.is_full {
            queue.frames.push_back((frame, Budget::Event(size)));
            self.0.pending.notify_one();
        }
    }

    /// Writes an event to the socket if the queue is empty, and returns it otherwise.
    fn try_send(&self, frame: Frame) -> Option<Frame> {
        let mut queue = self.lock();
        if queue.is_full || queue.is_closed {
            return None;
        }
        if queue.backpressure == Backpressure::Blocked
            || !queue.frames.is_empty()
            || frame.size() > FRAGMENT_BYTES
        {
            return Some(frame);
        }
        queue.backpressure = Backpressure::Unflushed;
        let written = Pin::new(&mut queue.socket).start_send(frame.into());
        let mut context = Context::from_waker(Waker::noop());
        let ready = Pin::new(&mut queue.socket).poll_ready(&mut context);
        if written.is_err() || !matches!(ready, Poll::Ready(Ok(()))) {
            // The socket's own task waits for room, or finds that the connection is closed.
            queue.backpressure = Backpressure::Blocked;
            self.0.pending.notify_one();
        }
        None
    }

    /// Flushes the events that the socket holds.
    pub(super) fn flush(&self) {
        let mut queue = self.lock();
        if queue.backpressure != Backpressure::Unflushed {
            return;
        }
        let mut context = Context::from_waker(Waker::noop());
        let flushed = Pin::new(&mut queue.socket).poll_flush(&mut context);
        if let Poll::Ready(Ok(())) = flushed {
            queue.backpressure = Backpressure::Idle;
        } else {
            queue.backpressure = Backpressure::Blocked;
            self.0.pending.notify_one();
        }
    }

    /// Sends queued frames until a close frame is sent or sending fails.
    pub(super) async fn send(&self) {
        loop {
            let sending = poll_fn(|context| self.lock().poll_send(context, &self.0.event_budget));
            if sending.await {
                return;
            }
            self.0.pending.notified().await;
        }
    }

    /// Completes when the queue overflows.
    pub(super) async fn overflowed(&self) {
        self.0.overflow.notified().await;
    }
}

impl<S, E> FrameQueue<S>
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin,
{
    /// Returns the next message of the client. Reads nothing while the pong to an earlier ping is unsent: a client that
    /// pings and does not read would otherwise fill the memory with pongs.
    pub(super) async fn receive(&self) -> Option<S::Item> {
        poll_fn(|context| self.lock().poll_receive(context)).await
    }
}

impl<S, E> Queue<S>
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin,
{
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.owes_pong {
            if let Err(error) = ready!(Pin::new(&mut self.socket).poll_flush(context)) {
                return Poll::Ready(Some(Err(error)));
            }
            self.owes_pong = false;
        }
        let message = ready!(Pin::new(&mut self.socket).poll_next(context));
        self.owes_pong = matches!(message, Some(Ok(Message::Ping(_))));
        Poll::Ready(message)
    }
}

impl<S: Sink<Message> + Unpin> Queue<S> {
    /// Sends all queued frames. Returns whether the socket is closed. After an overflow, the frames that are already
    /// queued are still sent, so that even a very slow client resumes from a later position each time.
    fn poll_send(&mut self, context: &mut Context<'_>, event_budget: &Semaphore) -> Poll<bool> {
        self.backpressure = Backpressure::Blocked;
        loop {
            let flushed = ready!(Pin::new(&mut self.socket).poll_flush(context));
            if flushed.is_ok() && !self.remainder.is_empty() {
                if self.send_fragment(Data::Continue).is_err() {
                    self.is_closed = true;
                    return Poll::Ready(true);
                }
                continue;
            }
            match self.sending.take() {
                Some(Budget::Response(size)) => self.response_bytes -= size,
                Some(Budget::Event(size)) => event_budget.add_permits(size),
                None => {}
            }
            if flushed.is_err() || self.is_closed {
                self.is_closed = true;
                return Poll::Ready(true);
            }
            let (frame, budget) = match self.frames.pop_front() {
                Some(next) => next,
                None if self.is_full => (Frame::Close(Close::TOO_SLOW), Budget::Response(0)),
                None => break,
            };
            self.is_closed = matches!(frame, Frame::Close(_));
            self.sending = Some(budget);
            let sent = match frame {
                Frame::Text(text) if text.len() > FRAGMENT_BYTES => {
                    self.remainder = text.into();
                    self.send_fragment(Data::Text)
                }
                frame => Pin::new(&mut self.socket).start_send(frame.into()),
            };
            if sent.is_err() {
                self.is_closed = true;
                return Poll::Ready(true);
            }
        }
        self.backpressure = Backpressure::Idle;
        Poll::Ready(false)
    }

    /// Sends the next fragment of a long message.
    fn send_fragment(&mut self, kind: Data) -> Result<(), S::Error> {
        let length = self.remainder.len().min(FRAGMENT_BYTES);
        let fragment = self.remainder.split_to(length);
        let is_last = self.remainder.is_empty();
        let frame = frame::Frame::message(fragment, OpCode::Data(kind), is_last);
        Pin::new(&mut self.socket).start_send(Message::Frame(frame))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::task::unconstrained;

    use super::*;
    use crate::http::socket::fake_socket::{FakeSocket, joined};

    impl FrameQueue<FakeSocket> {
        /// A queue whose socket accepts no frames from the start.
        fn blocked() -> Self {
            let queue = Self::new(FakeSocket::default());
            assert_eq!(queue.push_event(Frame::Ping).now_or_never(), Some(()));
            assert_eq!(queue.lock().backpressure, Backpressure::Blocked);
            queue
        }

        /// Lets the client read `count` messages and returns them.
        fn reads(&self, count: usize) -> Vec<Message> {
            self.lock().socket.room = count;
            let _ = unconstrained(self.send()).now_or_never();
            self.lock().socket.room = 0;
            joined(std::mem::take(&mut self.lock().socket.sent), FRAGMENT_BYTES)
        }

        fn is_full(&self) -> bool {
            self.lock().is_full
        }
    }

    fn text(length: usize) -> Frame {
        Frame::Text("x".repeat(length))
    }

    fn message(frame: Frame) -> Message {
        frame.into()
    }

    #[tokio::test]
    async fn an_empty_queue_writes_events_to_the_socket_directly() {
        let queue = FrameQueue::new(FakeSocket {
            room: 1,
            ..FakeSocket::default()
        });
        queue.push_event(text(1)).await;
        queue.flush();
        assert_eq!(queue.lock().socket.sent, [message(text(1))]);
        queue.push_event(text(2)).await;
        queue.push_event(text(3)).await;
        queue.push(text(4));
        assert_eq!(queue.reads(0), [message(text(1))]);
        assert_eq!(
            queue.reads(3),
            [2, 3, 4].map(|length| message(text(length)))
        );
        queue.lock().socket.room = 1;
        queue.push_event(text(5)).await;
        queue.flush();
        assert_eq!(queue.lock().socket.sent, [message(text(5))]);
    }

    #[tokio::test]
    async fn a_full_queue_closes_the_socket() {
        let queue = FrameQueue::blocked();
        for _ in 0..256 {
            queue.push(text(1));
        }
        assert!(!queue.is_full());
        queue.push(text(1));
        queue.overflowed().await;
        queue.push(text(1));
        queue.push_event(text(1)).await;
        assert_eq!(queue.reads(1), [message(Frame::Ping)]);
        for _ in 0..256 {
            assert_eq!(queue.reads(1), [message(text(1))]);
            queue.push(text(1));
            queue.push_event(text(1)).await;
        }
        let last = message(Frame::Close(Close::TOO_SLOW));
        assert_eq!(queue.reads(2), [last]);
    }

    #[tokio::test]
    async fn responses_count_until_they_are_sent() {
        let queue = FrameQueue::blocked();
        queue.reads(1);
        for _ in 0..5 {
            queue.push(text(RESPONSE_BYTES));
            assert_eq!(queue.reads(1), [message(text(RESPONSE_BYTES))]);
        }
        queue.push(text(RESPONSE_BYTES));
        assert_eq!(queue.reads(0), []);
        assert!(!queue.is_full());
        queue.push(text(1));
        assert!(queue.is_full());
    }

    #[tokio::test]
    async fn one_message_may_be_larger_than_the_queue() {
        let queue = FrameQueue::blocked();
        queue.push(text(3 * RESPONSE_BYTES));
        queue.push_event(text(3 * EVENT_BYTES)).await;
        let sent = [Frame::Ping, text(3 * RESPONSE_BYTES), text(3 * EVENT_BYTES)];
        assert_eq!(queue.reads(3), sent.map(message));
        queue.push(text(1));
        assert!(!queue.is_full());
    }

    #[tokio::test]
    async fn events_wait_for_room_and_responses_overtake_them() {
        let queue = FrameQueue::blocked();
        queue.push_event(text(EVENT_BYTES - 1)).await;
        let mut next = Box::pin(queue.push_event(text(MIN_EVENT_BYTES)));
        assert_eq!((&mut next).now_or_never(), None);
        queue.push(text(RESPONSE_BYTES));
        // The socket holds the event but has not sent it.
        assert_eq!(queue.reads(1), [message(Frame::Ping)]);
        assert_eq!((&mut next).now_or_never(), None);
        assert_eq!(queue.reads(1), [message(text(EVENT_BYTES - 1))]);
        next.await;
        assert_eq!(
            queue.reads(2),
            [text(RESPONSE_BYTES), text(MIN_EVENT_BYTES)].map(message)
        );
        assert!(!queue.is_full());
    }

    #[tokio::test]
    async fn many_small_events_leave_room_for_responses() {
        let queue = FrameQueue::blocked();
        let mut events = 0;
        while let Some(()) = unconstrained(queue.push_event(text(1))).now_or_never() {
            events += 1;
        }
        assert_eq!(events, 128);
        for _ in 0..128 {
            queue.push(text(1));
        }
        assert!(!queue.is_full());
    }
    #[tokio::test]
    async fn nothing_is_read_while_a_pong_is_unsent() {
        let queue = FrameQueue::new(FakeSocket::default());
        let ping = Message::Ping(Bytes::from_static(b"1"));
        let received = [ping.clone(), Message::text("a"), Message::text("b")];
        queue.lock().socket.received.extend(received);
        assert_eq!(queue.receive().await, Some(Ok(ping)));
        assert_eq!(queue.receive().now_or_never(), None);
        queue.lock().socket.room = 1;
        assert_eq!(queue.receive().await, Some(Ok(Message::text("a"))));
        assert_eq!(queue.receive().await, Some(Ok(Message::text("b"))));
    }
}
