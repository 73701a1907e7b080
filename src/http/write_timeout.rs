//! The options of accepted connections. A client that stops reading occupies little memory, and is disconnected.

use std::{pin::Pin, time::Duration};

use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutWriter;

/// Maximum time for which a client may read nothing of the data that waits for it. Otherwise a client that stops
/// reading, or disappears, would hold its connection until TCP gives up: after 15 minutes, or never while its window
/// stays closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum bytes that the kernel keeps for a client and has not sent yet. Its default is 4 MiB for each connection.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// A connection whose writes fail with `TimedOut`. It is pinned, because hyper requires `Unpin`.
pub(super) type WriteTimeout<S> = Pin<Box<TimeoutWriter<S>>>;

/// Configures a connection that was just accepted.
pub(super) fn accepted(stream: TcpStream) -> WriteTimeout<TcpStream> {
    // A response is one small write. Nagle's algorithm would only delay it.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
    // Written data may still be unacknowledged in the kernel. This option applies the timeout there, also while the
    // client's window is closed.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(WRITE_TIMEOUT));
    with_timeout(stream, WRITE_TIMEOUT)
}

fn with_timeout<S: tokio::io::AsyncWrite>(stream: S, timeout: Duration) -> WriteTimeout<S> {
    let mut writer = TimeoutWriter::new(stream);
    writer.set_timeout(Some(timeout));
    Box::pin(writer)
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test]
    async fn a_client_that_stops_reading_times_out() {
        let timeout = Duration::from_millis(50);
        let (server, _client) = duplex(4);
        let mut stream = with_timeout(server, timeout);
        let started = Instant::now();
        let failed = stream.write_all(b"more than there is room for").await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= timeout);
    }

    #[tokio::test]
    async fn a_client_that_reads_slowly_does_not_time_out() {
        let timeout = Duration::from_millis(200);
        let (server, mut client) = duplex(4);
        let mut stream = with_timeout(server, timeout);
        let started = Instant::now();
        let writes = async { stream.write_all(&[0; 40]).await };
        let reads = async {
            for _ in 0..10 {
                sleep(timeout / 5).await;
                client.read_exact(&mut [0; 4]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(writes, reads);
        written.unwrap();
        assert!(started.elapsed() > timeout);
    }
}
