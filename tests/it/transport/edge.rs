//! What a request must satisfy before its route: the host, the scheme, and the connections of its client.

use heddle::config::Mode;
use reqwest::{Method, StatusCode, header::HeaderMap, redirect::Policy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::app::TestApp;

const PUBLIC_URL: &str = "https://chat.example.org";

/// A server in production behind a proxy.
async fn proxied() -> TestApp {
    TestApp::sqlite_with(|config| {
        config.mode = Mode::Production;
        config.public_url = Some(PUBLIC_URL.to_owned());
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

/// The status and the headers of a response.
async fn request(
    app: &TestApp,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap) {
    let client = reqwest::Client::builder().redirect(Policy::none());
    let mut request = client.build().unwrap().request(method, app.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.headers().clone())
}

#[tokio::test]
async fn another_host_is_misdirected() {
    let production = proxied().await;
    let development = TestApp::sqlite().await;
    let get = async |app: &TestApp, path: &str, host: &str| {
        request(app, Method::GET, path, &[("host", host)]).await.0
    };
    for path in ["/", "/graphql", "/client.js"] {
        for host in ["rebound.example.net", "chat.example.org.example.net"] {
            let status = get(&production, path, host).await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{path} of {host}");
            let status = get(&development, path, host).await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{path} of {host}");
        }
    }
    assert_eq!(
        get(&production, "/", "chat.example.org").await,
        StatusCode::OK
    );
    assert_eq!(get(&production, "/", "127.0.0.1").await, StatusCode::OK);
    assert_eq!(
        get(&development, "/", "localhost:3000").await,
        StatusCode::OK
    );
    // A load balancer knows a node by another name.
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&production, path, "node-1").await, StatusCode::OK);
    }
}

/// Sends a request as it is written, and returns the status line.
async fn status_line(app: &TestApp, head: &str) -> String {
    let address = app.url("").replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_request_has_one_host() {
    let app = TestApp::sqlite().await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n", "400"),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example.net\r\n",
            "400",
        ),
        // The target takes precedence.
        (
            "GET http://rebound.example.net/ HTTP/1.1\r\nHost: localhost\r\n",
            "421",
        ),
        (
            "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n",
            "200",
        ),
        ("GET /healthz HTTP/1.1\r\n", "400"),
        (
            "GET /healthz HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n",
            "400",
        ),
        (
            "GET /healthz HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n",
            "400",
        ),
        // A value that two readers could understand differently.
        ("GET / HTTP/1.1\r\nHost: a b\r\n", "400"),
        // A comma is part of a name.
        ("GET / HTTP/1.1\r\nHost: localhost,localhost\r\n", "421"),
        ("GET / HTTP/1.1\r\nHost: ada@localhost\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: localhost/x\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: localhost:http\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost:\r\n", "400"),
        ("GET http://localhost/ HTTP/1.1\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: localhost:\r\n", "200"),
        ("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n", "200"),
        ("GET / HTTP/1.0\r\n", "421"),
        ("GET /healthz HTTP/1.0\r\n", "200"),
    ] {
        let line = status_line(&app, head).await;
        assert_eq!(line.split(' ').nth(1), Some(status), "{head}: {line}");
    }
}

#[tokio::test]
async fn unencrypted_requests_are_redirected_or_fail() {
    let app = proxied().await;
    let http = [("host", "chat.example.org"), ("x-forwarded-proto", "http")];
    let (status, headers) = request(&app, Method::GET, "/graphiql?a=1", &http).await;
    assert_eq!(status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(headers["location"], format!("{PUBLIC_URL}/graphiql?a=1"));
    assert!(!headers.contains_key("strict-transport-security"));
    for method in [Method::GET, Method::POST] {
        let (status, headers) = request(&app, method, "/graphql", &http).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(!headers.contains_key("location"));
    }
    assert_eq!(
        request(&app, Method::GET, "/healthz", &http).await.0,
        StatusCode::OK
    );

    let https = [("host", "chat.example.org"), ("x-forwarded-proto", "https")];
    let (status, headers) = request(&app, Method::GET, "/", &https).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        headers["strict-transport-security"],
        "max-age=63072000; includeSubDomains"
    );

    // The header of a client that is no trusted proxy has no effect.
    let direct = TestApp::sqlite_with(|config| config.public_url = Some(PUBLIC_URL.to_owned()));
    let direct = direct.await;
    let (status, headers) = request(&direct, Method::GET, "/", &http).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!headers.contains_key("strict-transport-security"));
    let (_, headers) = request(&direct, Method::GET, "/", &https).await;
    assert!(!headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn the_connections_of_a_client_behind_a_proxy_are_limited() {
    let app = proxied().await;
    let address = app.url("").replace("http://", "");
    let get = |client: &str| {
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n")
    };
    // Returns the status line of the next response on a connection that stays open.
    let send = async |stream: &mut TcpStream, client: &str| {
        stream.write_all(get(client).as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        String::from_utf8(start.to_vec()).unwrap()
    };
    let mut open = vec![];
    for _ in 0..64 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        assert_eq!(send(&mut stream, "203.0.113.9").await, "HTTP/1.1 200");
        open.push(stream);
    }
    let mut one_more = TcpStream::connect(&address).await.unwrap();
    assert_eq!(send(&mut one_more, "203.0.113.9").await, "HTTP/1.1 429");
    let mut other = TcpStream::connect(&address).await.unwrap();
    assert_eq!(send(&mut other, "203.0.113.10").await, "HTTP/1.1 200");
    drop(open);
}
