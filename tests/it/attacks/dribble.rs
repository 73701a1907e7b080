//! Clients that send as slowly as possible, to occupy the server for as long as possible.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use super::{connections::connect, target::Target};

/// Connections of an attacker.
const CONNECTIONS: usize = 300;
/// Bytes of a body: nearly the maximum.
const BODY: usize = 250_000;
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

/// The last byte of a body never arrives.
#[tokio::test]
async fn slow_bodies_occupy_little_memory() {
    let head = format!("Content-Length: {}\r\n\r\n", BODY + 1);
    let rest = [head.into_bytes(), vec![b' '; BODY]].concat();
    withstands_bodies("slow bodies", rest).await;
}

/// A server that keeps each part of a body needs many times the size of the body.
#[tokio::test]
async fn bodies_of_tiny_chunks_occupy_little_memory() {
    let chunks = "1\r\n \r\n".repeat(BODY);
    let rest = format!("Transfer-Encoding: chunked\r\n\r\n{chunks}");
    withstands_bodies("bodies of tiny chunks", rest.into_bytes()).await;
}

/// Each connection sends the rest of a request, from its last headers on, and then waits.
async fn withstands_bodies(name: &'static str, rest: Vec<u8>) {
    let mut target = Target::on_sqlite(&[]).await;
    let figures = target.withstands(name, |url| async move {
        let head =
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        let request = [head.as_bytes(), &rest].concat();
        let connections = (0..CONNECTIONS).map(|_| wait_with_body(&url, &request));
        join_all(connections).await;
    });
    figures.await.are_within_limits();
}

async fn wait_with_body(url: &str, request: &[u8]) {
    loop {
        let mut stream = connect(url).await;
        if stream.write_all(request).await.is_ok() {
            // Ends when the server closes the connection.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        sleep(PAUSE).await;
    }
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
