//! What waits to be sent on one socket, bounded in number and size. Whoever has something to say never waits: a client
//! that reads too slowly for what it asked is cut off, so that it slows nobody else down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::protocol::Close;

/// Messages that may wait.
const MESSAGES: usize = 256;
/// Bytes that may wait, beside one message of any size.
const BYTES: usize = 1024 * 1024;

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

/// Where frames are put.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    frames: mpsc::Sender<Frame>,
    bytes: Arc<AtomicUsize>,
    overflow: CancellationToken,
}

/// Where frames are taken from.
#[derive(Debug)]
pub(super) struct Queue {
    frames: mpsc::Receiver<Frame>,
    bytes: Arc<AtomicUsize>,
    overflow: CancellationToken,
}

/// An empty outbox.
pub(super) fn outbox() -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let bytes = Arc::new(AtomicUsize::new(0));
    let overflow = CancellationToken::new();
    let outbox = Outbox {
        frames: sender,
        bytes: Arc::clone(&bytes),
        overflow: overflow.clone(),
    };
    let queue = Queue {
        frames: receiver,
        bytes,
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
        let size = frame.size();
        let waiting = self.bytes.fetch_add(size, Ordering::Relaxed);
        let too_large = waiting > 0 && waiting.saturating_add(size) > BYTES;
        if too_large || self.frames.try_send(frame).is_err() {
            self.overflow.cancel();
        }
    }

    /// Waits until the queue has overflowed.
    pub(super) async fn overflowed(&self) {
        self.overflow.cancelled().await;
    }
}

impl Queue {
    /// The next frame; the last one is always a close. Whoever is given up is still sent what had found room, so that
    /// they resume further on each time, however slowly they read.
    pub(super) async fn take(&mut self) -> Option<Frame> {
        tokio::select! {
            biased;
            frame = self.frames.recv() => frame,
            () = self.overflow.cancelled() => Some(Frame::Close(Close::TOO_SLOW)),
        }
    }

    /// A frame was sent.
    pub(super) fn sent(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(queue.take().await, Some(text(1)));
            outbox.push(text(1));
        }
        assert_eq!(queue.take().await, Some(Frame::Close(Close::TOO_SLOW)));
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_sent() {
        let (outbox, mut queue) = outbox();
        for _ in 0..5 {
            outbox.push(text(BYTES));
            assert_eq!(queue.take().await, Some(text(BYTES)));
            queue.sent(BYTES);
        }
        outbox.push(text(BYTES));
        assert!(!queue.overflow.is_cancelled());
        outbox.push(text(1));
        assert!(queue.overflow.is_cancelled());
    }

    #[tokio::test]
    async fn one_message_may_be_larger_than_the_queue() {
        let (outbox, mut queue) = outbox();
        outbox.push(text(3 * BYTES));
        assert_eq!(queue.take().await, Some(text(3 * BYTES)));
        queue.sent(3 * BYTES);
        outbox.push(text(1));
        assert!(!queue.overflow.is_cancelled());
    }
}
