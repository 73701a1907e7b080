//! `heddle healthcheck`: asks a running server, for containers without other means.

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

/// A server that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    let address = reachable(config.listen);
    let answer = timeout(PATIENCE, ask(address)).await;
    let reason = match answer {
        Ok(Ok(status)) if status == "200" => {
            output::line("ok");
            return Ok(());
        }
        Ok(Ok(status)) => format!("it answered with status {status}"),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} seconds", PATIENCE.as_secs()),
    };
    Err(CliError::because(format!(
        "the server at {address} is not well: {reason}"
    )))
}

/// A server that listens everywhere is asked here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The status of `GET /healthz`.
async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // `HTTP/1.1 200`
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    let status: Vec<u8> = start.into_iter().skip("HTTP/1.1 ".len()).collect();
    Ok(String::from_utf8_lossy(&status).into_owned())
}
