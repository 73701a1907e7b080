//! Limits how many frames a client may send, below the WebSocket library: it handles empty continuation frames without
//! returning them, and any number of frames in one read. The frames of a client that floods wait in its own TCP
//! connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tokio_tungstenite::WebSocketStream;

/// Frames that a client may send without a pause.
const BURST: u32 = 100;
/// Time after which one more frame is allowed: 50 per second.
const FRAME_INTERVAL: Duration = Duration::from_millis(20);
/// Maximum time for a message to arrive completely.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// A socket whose client is limited in frames per second.
pub(super) type Socket = WebSocketStream<MeteredStream<TokioIo<Upgraded>>>;

/// The connection of a socket. Reading pauses when the client has sent too many frames, and fails with `TimedOut` when
/// a message stays incomplete for too long.
#[derive(Debug)]
pub(super) struct MeteredStream<S> {
    stream: S,
    scanner: FrameScanner,
    /// When the allowance of frames is full again. Each frame moves it by one interval.
    full_at: Instant,
    /// When the first byte of an incomplete message arrived.
    incomplete_since: Option<Instant>,
    /// Ends a pause, or the wait for the rest of a message. Most sockets never need it.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> MeteredStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            scanner: FrameScanner::default(),
            full_at: Instant::now(),
            incomplete_since: None,
            timer: None,
        }
    }

    /// Waits until this time.
    fn poll_timer(&mut self, context: &mut Context<'_>, until: Instant) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(context)
    }

    /// Counts the frames of newly read bytes.
    fn note(&mut self, bytes: &[u8], now: Instant) {
        let completed = self.scanner.completed;
        let frames = self.scanner.count(bytes);
        self.full_at = self.full_at.max(now) + FRAME_INTERVAL * frames;
        let is_same_message = self.scanner.completed == completed;
        self.incomplete_since = if self.scanner.is_between_messages() {
            None
        } else {
            self.incomplete_since
                .filter(|_| is_same_message)
                .or(Some(now))
        };
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let now = Instant::now();
        let deadline = this.incomplete_since.map(|since| since + MESSAGE_TIMEOUT);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let pause = this.full_at.checked_sub(FRAME_INTERVAL * BURST);
        if let Some(until) = pause.filter(|until| *until > now) {
            ready!(this.poll_timer(context, until));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                let bytes = buffer.filled().get(before..).unwrap_or_default();
                this.note(bytes, Instant::now());
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                let Some(deadline) = deadline else {
                    return Poll::Pending;
                };
                ready!(this.poll_timer(context, deadline));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Finds the frames of RFC 6455, section 5.2, in the bytes of a client. It only counts: the library rejects invalid
/// frames.
#[derive(Debug, Default)]
struct FrameScanner {
    next: Next,
    /// Bytes of the payload that have not arrived.
    payload: u64,
    /// Whether a message has begun whose last frame has not.
    is_fragmented: bool,
    /// The number of complete messages and control frames, for comparison.
    completed: u64,
}

/// The part of a frame that the next byte belongs to.
#[derive(Debug, Default)]
enum Next {
    #[default]
    Opcode,
    Length,
    /// The rest of the header: bytes of the extended length, and of the mask.
    Rest {
        length: u8,
        mask: u8,
    },
    Payload,
}

impl FrameScanner {
    /// Returns how many headers of frames end in these bytes.
    fn count(&mut self, bytes: &[u8]) -> u32 {
        let mut frames = 0;
        let mut left = bytes;
        while let Some((&byte, rest)) = left.split_first() {
            if let Next::Payload = self.next {
                let available = u64::try_from(left.len()).unwrap_or(u64::MAX);
                let skipped = self.payload.min(available);
                self.payload -= skipped;
                left = left
                    .get(usize::try_from(skipped).unwrap_or(usize::MAX)..)
                    .unwrap_or_default();
            } else {
                self.header_byte(byte);
                left = rest;
                frames += u32::from(matches!(self.next, Next::Payload));
            }
            if matches!(self.next, Next::Payload) && self.payload == 0 {
                self.next = Next::Opcode;
                self.completed += u64::from(!self.is_fragmented);
            }
        }
        frames
    }

    fn header_byte(&mut self, byte: u8) {
        match &mut self.next {
            Next::Opcode => {
                // Opcodes from 8 are control frames, which may arrive between the fragments of a message.
                let is_control = byte & 0x0f >= 8;
                if !is_control {
                    self.is_fragmented = byte & 0x80 == 0;
                }
                self.next = Next::Length;
            }
            Next::Length => {
                let mask = if byte & 0x80 == 0 { 0 } else { 4 };
                let length = match byte & 0x7f {
                    126 => 2,
                    127 => 8,
                    _ => 0,
                };
                self.payload = if length == 0 {
                    u64::from(byte & 0x7f)
                } else {
                    0
                };
                self.next = Next::Rest { length, mask };
            }
            Next::Rest { length: 0, mask } => *mask = mask.saturating_sub(1),
            Next::Rest { length, .. } => {
                self.payload = self.payload << 8 | u64::from(byte);
                *length -= 1;
            }
            Next::Payload => {}
        }
        if matches!(self.next, Next::Rest { length: 0, mask: 0 }) {
            self.next = Next::Payload;
        }
    }

    fn is_between_messages(&self) -> bool {
        matches!(self.next, Next::Opcode) && !self.is_fragmented
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    };

    use super::*;

    const EMPTY_CONTINUATION: [u8; 6] = [0, 0x80, 0, 0, 0, 0];

    fn fragment(length: usize, kind: Data, is_final: bool) -> Vec<u8> {
        let frame = Frame::message(vec![b'x'; length], OpCode::Data(kind), is_final);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    fn ping() -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::ping(vec![0; 125]).format(&mut bytes).unwrap();
        bytes
    }

    fn metered() -> (DuplexStream, MeteredStream<DuplexStream>) {
        let (client, server) = duplex(64 * 1024);
        (client, MeteredStream::new(server))
    }

    #[test]
    fn frames_are_counted_however_they_are_split() {
        let frames = [
            fragment(0, Data::Text, true),
            fragment(125, Data::Text, false),
            ping(),
            fragment(126, Data::Continue, false),
            fragment(65_535, Data::Continue, true),
            fragment(65_536, Data::Binary, true),
        ];
        let bytes = frames.concat();
        for size in [1, 2, 3, 7, 512, bytes.len()] {
            let mut scanner = FrameScanner::default();
            let counts = bytes.chunks(size).map(|chunk| scanner.count(chunk));
            assert_eq!(counts.sum::<u32>(), 6, "chunks of {size} bytes");
            assert!(scanner.is_between_messages());
        }
        let mut scanner = FrameScanner::default();
        for _ in 0..1_000 {
            assert_eq!(scanner.count(&EMPTY_CONTINUATION), 1);
        }
    }

    #[test]
    fn a_message_is_incomplete_until_its_last_byte() {
        let mut scanner = FrameScanner::default();
        scanner.count(&fragment(3, Data::Text, false));
        assert!(!scanner.is_between_messages());
        scanner.count(&ping());
        assert!(!scanner.is_between_messages());
        let mut last = fragment(3, Data::Continue, true);
        let end = last.pop().unwrap();
        scanner.count(&last);
        assert!(!scanner.is_between_messages());
        scanner.count(&[end]);
        assert!(scanner.is_between_messages());
    }

    #[tokio::test(start_paused = true)]
    async fn floods_are_limited_to_fifty_frames_per_second() {
        let (mut client, mut server) = metered();
        client
            .write_all(&EMPTY_CONTINUATION.repeat(600))
            .await
            .unwrap();
        let started = Instant::now();
        let mut frame = [0; 6];
        for _ in 0..100 {
            server.read_exact(&mut frame).await.unwrap();
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        for _ in 0..500 {
            server.read_exact(&mut frame).await.unwrap();
        }
        let elapsed = started.elapsed();
        assert!((9.9..10.1).contains(&elapsed.as_secs_f64()), "{elapsed:?}");
        // The allowance is full again after two seconds.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let started = Instant::now();
        client
            .write_all(&EMPTY_CONTINUATION.repeat(100))
            .await
            .unwrap();
        for _ in 0..100 {
            server.read_exact(&mut frame).await.unwrap();
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_incomplete_message_times_out() {
        let (mut client, mut server) = metered();
        let started = Instant::now();
        let writes = async {
            client
                .write_all(&fragment(3, Data::Text, false))
                .await
                .unwrap();
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if client.write_all(&EMPTY_CONTINUATION).await.is_err() {
                    return;
                }
            }
        };
        let reads = async { server.read_to_end(&mut Vec::new()).await };
        let failed = tokio::select! {
            failed = reads => failed,
            () = writes => unreachable!("the server reads"),
        };
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() <= Duration::from_secs(21));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_does_not_time_out_here() {
        let (mut client, mut server) = metered();
        client.write_all(&ping()).await.unwrap();
        let mut frame = [0; 127];
        server.read_exact(&mut frame).await.unwrap();
        let more = tokio::time::timeout(Duration::from_hours(1), server.read_u8());
        assert!(more.await.is_err());
    }
}
