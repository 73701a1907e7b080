//! Sockets that flood the server with frames that are no operations, and read nothing.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::{connections::connect, target::Target};

/// Sockets of an attacker.
const SOCKETS: usize = 4;
/// Pause before an attacker connects again.
const PAUSE: Duration = Duration::from_millis(10);
/// Frames that are written together.
const BATCH: usize = 200;

/// A masked frame of a client. The mask is zero, so the payload is itself.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if payload.len() <= 125 {
        frame.push(0x80 | u8::try_from(payload.len()).unwrap());
    } else {
        // The length follows in two bytes.
        frame.push(0xfe);
        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn ping() -> Vec<u8> {
    frame(0x89, &[b'x'; 125])
}

fn pong() -> Vec<u8> {
    frame(0x8a, &[b'x'; 125])
}

fn text(message: &str) -> Vec<u8> {
    frame(0x81, message.as_bytes())
}

fn init() -> Vec<u8> {
    text(r#"{"type":"connection_init"}"#)
}

/// A first fragment and a later one. Neither is the last of its message.
fn first_fragment(payload: &[u8]) -> Vec<u8> {
    frame(0x01, payload)
}

fn fragment(payload: &[u8]) -> Vec<u8> {
    frame(0x00, payload)
}

#[tokio::test]
async fn pings_before_the_connection_is_initialised() {
    withstands("pings before connection_init", vec![], ping()).await;
}

#[tokio::test]
async fn pings_of_a_client_that_never_reads() {
    withstands("pings after connection_init", init(), ping()).await;
}

#[tokio::test]
async fn unsolicited_pongs() {
    withstands("unsolicited pongs", init(), pong()).await;
}

#[tokio::test]
async fn empty_continuation_frames() {
    let start = [init(), first_fragment(b"{")].concat();
    withstands("empty continuation frames", start, fragment(b"")).await;
}

#[tokio::test]
async fn fragments_of_one_byte() {
    let start = [init(), first_fragment(b"{")].concat();
    withstands("fragments of one byte", start, fragment(b" ")).await;
}

/// Each socket keeps as much of an incomplete message as it may.
#[tokio::test]
async fn messages_that_never_end() {
    let start = [init(), first_fragment(" ".repeat(60_000).as_bytes())].concat();
    withstands("messages that never end", start, ping()).await;
}

/// The pings of the subprotocol, which the server answers with messages.
#[tokio::test]
async fn ping_messages_of_a_client_that_never_reads() {
    let payload = "x".repeat(1000);
    let message = format!(r#"{{"type":"ping","payload":{{"a":"{payload}"}}}}"#);
    withstands("ping messages", init(), text(&message)).await;
}

/// Measures the server while sockets send `start` once and `repeated` as often as they can.
async fn withstands(name: &'static str, start: Vec<u8>, repeated: Vec<u8>) {
    let mut target = Target::on_sqlite(&[]).await;
    let figures = target.withstands(name, |url| async move {
        let batch = repeated.repeat(BATCH);
        let sockets = (0..SOCKETS).map(|_| flood(&url, &start, &batch));
        join_all(sockets).await;
    });
    figures.await.are_negligible();
}

/// Opens sockets, one after the other, and writes until the server closes them.
async fn flood(url: &str, start: &[u8], batch: &[u8]) {
    loop {
        let mut socket = open(url).await;
        let mut written = socket.write_all(start).await;
        while written.is_ok() {
            written = socket.write_all(batch).await;
        }
        sleep(PAUSE).await;
    }
}

/// Opens a socket. Reads nothing after the handshake.
async fn open(url: &str) -> TcpStream {
    let handshake = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    loop {
        let mut stream = connect(url).await;
        if stream.write_all(handshake.as_bytes()).await.is_ok() {
            let mut response = [0; 12];
            if stream.read_exact(&mut response).await.is_ok() {
                assert_eq!(&response, b"HTTP/1.1 101");
                return stream;
            }
        }
        sleep(PAUSE).await;
    }
}
