//! Clients that send as slowly as possible, to occupy the server for as long as possible.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use super::target::Target;

/// Connections of an attacker.
const CONNECTIONS: usize = 300;
/// Pause between two bytes.
const PAUSE: Duration = Duration::from_millis(10);

/// The head of a request never ends. The server would parse it from its beginning for each byte.
#[tokio::test]
async fn dribbled_headers_occupy_nothing() {
    let mut target = Target::on_sqlite(&[]).await;
    let figures = target.withstands("dribbled headers", |url| async move {
        let connections = (0..CONNECTIONS).map(|_| dribble(&url));
        join_all(connections).await;
    });
    figures.await.are_within_limits();
}

/// Sends 16 KiB of headers, and then byte by byte. Connects again when the server closes the connection.
async fn dribble(url: &str) {
    let start = format!(
        "GET /graphql HTTP/1.1\r\nHost: a\r\nX-Long: {}",
        "x".repeat(16 * 1024)
    );
    loop {
        let mut stream = connect(url).await;
        let mut written = stream.write_all(start.as_bytes()).await;
        while written.is_ok() {
            sleep(PAUSE).await;
            written = stream.write_all(b"x").await;
        }
    }
}

async fn connect(url: &str) -> TcpStream {
    let address = url.trim_start_matches("http://");
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => return stream,
            Err(_refused) => sleep(PAUSE).await,
        }
    }
}
