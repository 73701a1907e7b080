//! What waits to be sent on one socket, bounded in number and size. Answers never wait: a client that asks more than it
//! reads is cut off. Events do: a stream goes on when there is room again, since the log keeps what follows.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

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

/// The room that a frame takes until it was sent.
pub(super) type Room = Option<OwnedSemaphorePermit>;

/// What waits. Apart from the queue, which is there for thirty of them as soon as a socket is.
type Waiting = Box<(Frame, Room)>;

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Where frames are put.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    frames: mpsc::Sender<Waiting>,
    answers: Arc<Semaphore>,
    events: Arc<Semaphore>,
    overflow: CancellationToken,
}

/// Where frames are taken from.
#[derive(Debug)]
pub(super) struct Queue {
    frames: mpsc::Receiver<Waiting>,
    overflow: CancellationToken,
}

/// An empty outbox.
pub(super) fn outbox() -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let overflow = CancellationToken::new();
    let room = |bytes| Arc::new(Semaphore::new(bytes));
    let outbox = Outbox {
        frames: sender,
        answers: room(ANSWERS),
        events: room(EVENTS),
        overflow: overflow.clone(),
    };
    let queue = Queue {
        frames: receiver,
        overflow,
    };
    (outbox, queue)
}

impl Outbox {
    /// Puts a frame in the queue, or gives the socket up when it is full. From then on nothing is put there: what
    /// came after a gap would move the client's cursor over it.
    pub(super) fn push(&self, frame: Frame) {
        if self.overflow.is_cancelled() {
            return;
        }
        let size = permits(frame.size().min(ANSWERS));
        let room = Arc::clone(&self.answers).try_acquire_many_owned(size);
        let is_put =
            room.is_ok_and(|room| self.frames.try_send(Box::new((frame, Some(room)))).is_ok());
        if !is_put {
            self.overflow.cancel();
        }
    }

    /// Puts a frame in the queue when there is room for it.
    pub(super) async fn push_in_turn(&self, frame: Frame) {
        let size = permits(frame.size().clamp(EVENT, EVENTS));
        let room = Arc::clone(&self.events).acquire_many_owned(size).await;
        if !self.overflow.is_cancelled() {
            // Refused only when the socket is gone.
            let _ = self.frames.send(Box::new((frame, room.ok()))).await;
        }
    }

    /// Waits until the queue has overflowed.
    pub(super) async fn overflowed(&self) {
        self.overflow.cancelled().await;
    }
}

impl Queue {
    /// The next frame, with the room that it takes; the last one is always a close. Whoever is given up is still sent
    /// what had found room, so that they resume further on each time, however slowly they read.
    pub(super) async fn take(&mut self) -> Option<Waiting> {
        tokio::select! {
            biased;
            frame = self.frames.recv() => frame,
            () = self.overflow.cancelled() => Some(Box::new((Frame::Close(Close::TOO_SLOW), None))),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::task::unconstrained;

    use super::*;

    fn text(length: usize) -> Frame {
        Frame::Text("x".repeat(length))
    }

    #[tokio::test]
    async fn a_full_queue_gives_the_socket_up() {
        let (outbox, mut queue) = outbox();
        for _ in 0..256 {
            outbox.push(text(1));
        }
        assert!(!queue.overflow.is_cancelled());
        outbox.push(text(1));
        outbox.overflowed().await;
        for _ in 0..256 {
            assert_eq!(queue.take().await.unwrap().0, text(1));
            outbox.push(text(1));
            outbox.push_in_turn(text(1)).await;
        }
        let last = queue.take().await.unwrap().0;
        assert_eq!(last, Frame::Close(Close::TOO_SLOW));
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_sent() {
        let (outbox, mut queue) = outbox();
        for _ in 0..5 {
            outbox.push(text(ANSWERS));
            assert_eq!(queue.take().await.unwrap().0, text(ANSWERS));
        }
        outbox.push(text(ANSWERS));
        assert!(!queue.overflow.is_cancelled());
        outbox.push(text(1));
        assert!(queue.overflow.is_cancelled());
    }

    #[tokio::test]
    async fn one_message_may_be_larger_than_the_queue() {
        let (outbox, mut queue) = outbox();
        outbox.push(text(3 * ANSWERS));
        outbox.push_in_turn(text(3 * EVENTS)).await;
        assert_eq!(queue.take().await.unwrap().0, text(3 * ANSWERS));
        assert_eq!(queue.take().await.unwrap().0, text(3 * EVENTS));
        outbox.push(text(1));
        assert!(!queue.overflow.is_cancelled());
    }

    #[tokio::test]
    async fn events_wait_for_room_and_answers_pass_them() {
        let (outbox, mut queue) = outbox();
        outbox.push_in_turn(text(EVENTS - 1)).await;
        let mut next = Box::pin(outbox.push_in_turn(text(EVENT)));
        assert_eq!((&mut next).now_or_never(), None);
        outbox.push(text(ANSWERS));
        let (frame, room) = *queue.take().await.unwrap();
        assert_eq!(frame, text(EVENTS - 1));
        assert_eq!((&mut next).now_or_never(), None);
        drop(room);
        next.await;
        assert_eq!(queue.take().await.unwrap().0, text(ANSWERS));
        assert_eq!(queue.take().await.unwrap().0, text(EVENT));
        assert!(!queue.overflow.is_cancelled());
    }

    #[tokio::test]
    async fn many_small_events_leave_room_for_answers() {
        let (outbox, queue) = outbox();
        let mut events = 0;
        while let Some(()) = unconstrained(outbox.push_in_turn(text(1))).now_or_never() {
            events += 1;
        }
        assert_eq!(events, 128);
        for _ in 0..128 {
            outbox.push(text(1));
        }
        assert!(!queue.overflow.is_cancelled());
    }
}
