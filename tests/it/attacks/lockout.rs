//! Clients without an account that occupy every connection of the server. Health checks and other users, who arrive
//! during the attack, are served.

use std::{cell::Cell, future::pending, net::Ipv4Addr, time::Duration};

use futures_util::{SinkExt, StreamExt, future::join_all};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::target::Target;
use crate::support::person::Person;

/// More connections than the server accepts.
const CONNECTIONS: u16 = 1_100;
/// Pause before an attacker connects again.
const PAUSE: Duration = Duration::from_secs(3);
/// Address of a reverse proxy.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Address of a user behind the proxy.
const USER: &str = "203.0.113.9";
/// Maximum time for newcomers to be served while the attackers hold their connections.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn anonymous_sockets_behind_a_proxy_lock_no_one_out() {
    withstands(
        "anonymous sockets behind a proxy",
        |url, number| async move {
            let [high, low] = number.to_be_bytes();
            let client = format!("198.51.{high}.{low}");
            loop {
                if let Ok(mut socket) = open(&url, &client).await {
                    let init = json!({ "type": "connection_init" });
                    let _ = socket.send(Message::text(init.to_string())).await;
                    while let Some(Ok(_)) = socket.next().await {}
                }
                sleep(PAUSE).await;
            }
        },
    )
    .await;
}

#[tokio::test]
async fn idle_connections_lock_no_one_out() {
    withstands("idle connections", |url, number| async move {
        let [high, low] = number.to_be_bytes();
        loop {
            let source = Ipv4Addr::new(127, 1, high, low);
            if let Ok(mut idle) = connect(&url, source).await {
                let _ = idle.write_all(b"GET / HTTP/1.1\r\n").await;
                let _ = idle.read_u8().await;
            }
            sleep(PAUSE).await;
        }
    })
    .await;
}

/// Measures the server, and serves newcomers, while each of many attackers occupies a connection.
async fn withstands<A: Future<Output = ()> + 'static>(
    name: &'static str,
    attacker: fn(String, u16) -> A,
) {
    let settings = [("HEDDLE_TRUSTED_PROXIES", "127.0.0.2")];
    let mut target = Target::on_sqlite(&settings).await;
    let url = target.url();
    let cleo = Person::anonymous_at(format!("{url}/graphql"));
    let cleo = cleo.sign_up("Cleo").await;
    let last_served = Cell::new(Instant::now());
    let newcomers = async {
        loop {
            is_served(&url, &cleo).await;
            last_served.set(Instant::now());
        }
    };
    let during = target.withstands(name, move |url| async move {
        join_all((0..CONNECTIONS).map(|number| attacker(url.clone(), number))).await;
        pending::<()>().await;
    });
    let figures = tokio::select! {
        figures = during => figures,
        () = newcomers => unreachable!("there is always another newcomer"),
    };
    // The first ones arrive before the attackers have taken every connection.
    let waited = figures.ended.duration_since(last_served.get());
    assert!(waited <= PATIENCE, "{name}: no newcomer for {waited:?}");
    figures.are_within_limits();
}

/// A health check, a query and a socket succeed on new connections.
async fn is_served(url: &str, user: &Person) {
    let client = reqwest::Client::builder()
        .local_address(Some(PROXY.into()))
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let health = client.get(format!("{url}/healthz")).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    let token = user.token.as_deref().unwrap();
    let response = client
        .post(format!("{url}/graphql"))
        .header("x-forwarded-for", USER)
        .bearer_auth(token)
        .json(&json!({ "query": "{ viewer { user { username } } }" }));
    let response: Value = response.send().await.unwrap().json().await.unwrap();
    assert_eq!(response["data"]["viewer"]["user"]["username"], "cleo");
    let mut socket = open(url, USER).await.unwrap();
    let init = json!({ "type": "connection_init", "payload": { "token": token } });
    socket.send(Message::text(init.to_string())).await.unwrap();
    let acknowledged = socket.next().await.unwrap().unwrap();
    assert_eq!(
        acknowledged.to_text().unwrap(),
        r#"{"type":"connection_ack"}"#
    );
}

/// Opens a socket for a client behind the proxy.
async fn open(
    url: &str,
    client: &str,
) -> Result<WebSocketStream<TcpStream>, Box<dyn std::error::Error>> {
    let stream = connect(url, PROXY).await?;
    let url = format!("{}/graphql", url.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    headers.insert("x-forwarded-for", client.parse()?);
    Ok(client_async(request, stream).await?.0)
}

async fn connect(url: &str, source: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let address = url.trim_start_matches("http://").parse().unwrap();
    socket.connect(address).await
}
