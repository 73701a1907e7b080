//! `heddle healthcheck`: checks a running server, for containers without an HTTP client.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{error::CliError, output};
use crate::config::Config;

/// A server that takes longer to respond is unhealthy.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    let address = reachable(config.listen);
    let status = timeout(TIMEOUT, fetch_status(address)).await;
    let reason = match status {
        Ok(Ok(status)) if status == "200" => {
            output::line("ok");
            return Ok(());
        }
        Ok(Ok(status)) => format!("the response has status {status}"),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no response within {} seconds", TIMEOUT.as_secs()),
    };
    Err(CliError::because(format!(
        "the server at {address} is unhealthy: {reason}"
    )))
}

/// Replaces the unspecified address of a server that listens on all interfaces with the loopback address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Returns the status code of `GET /healthz`.
async fn fetch_status(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // `HTTP/1.1 200`
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    let status: Vec<u8> = start.into_iter().skip("HTTP/1.1 ".len()).collect();
    Ok(String::from_utf8_lossy(&status).into_owned())
}
