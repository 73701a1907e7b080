//! Connections of an attacker.

use std::time::Duration;

use tokio::{
    net::{TcpSocket, TcpStream},
    time::sleep,
};

/// Pause before another attempt.
const PAUSE: Duration = Duration::from_millis(10);
/// The smallest receive buffer, so that what the client does not read stays with the server.
const RECEIVE_BUFFER: u32 = 4096;

/// Connects to a server, and keeps little of what is not read. Tries again while the server refuses connections.
pub(super) async fn connect(url: &str) -> TcpStream {
    let address = url.trim_start_matches("http://").parse().unwrap();
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
        match socket.connect(address).await {
            Ok(stream) => return stream,
            Err(_refused) => sleep(PAUSE).await,
        }
    }
}
