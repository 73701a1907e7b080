//! One client's connection, which does not wait for ever for a client that takes nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long a client may take nothing of what there is for it. Whoever stops reading, or is gone without a word, would
/// otherwise keep a place until TCP gives up: after a quarter of an hour, or never when it still says that it has no room.
const STALLED: Duration = Duration::from_secs(30);

/// A connection whose writes fail when the client takes nothing for too long.
#[derive(Debug)]
pub(super) struct WriteTimeout<S> {
    stream: S,
    patience: Duration,
    /// Runs while the client has no room.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeout<TcpStream> {
    /// A connection that was just accepted.
    pub(super) fn accepted(stream: TcpStream) -> Self {
        // An answer is one small write: waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        // What is written may still wait in the system, unacknowledged: that is the system's to count. It counts a
        // window that stays shut as well.
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(STALLED));
        Self::new(stream, STALLED)
    }
}

impl<S> WriteTimeout<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
        }
    }

    /// Counts how long there has been no room, and fails when that is too long.
    fn within<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.within(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.within(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.within(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn whoever_takes_nothing_is_given_up() {
        let patience = Duration::from_millis(50);
        let (ours, _theirs) = duplex(4);
        let mut wire = WriteTimeout::new(ours, patience);
        let begun = Instant::now();
        let failed = wire.write_all(b"more than there is room for").await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= patience);
    }

    #[tokio::test]
    async fn whoever_takes_a_little_at_a_time_is_waited_for() {
        let patience = Duration::from_millis(200);
        let (ours, mut theirs) = duplex(4);
        let mut wire = WriteTimeout::new(ours, patience);
        let begun = Instant::now();
        let writes = async { wire.write_all(&[0; 40]).await };
        let reads = async {
            for _ in 0..10 {
                sleep(patience / 5).await;
                theirs.read_exact(&mut [0; 4]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(writes, reads);
        written.unwrap();
        assert!(begun.elapsed() > patience);
    }
}
