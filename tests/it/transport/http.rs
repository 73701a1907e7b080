//! GraphQL over HTTP: content negotiation, errors and responses.

use std::time::Duration;

use futures_util::stream;
use heddle::config::Mode;
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::app::TestApp;

const JSON: &str = "application/json";
const RESPONSE: &str = "application/graphql-response+json";
const REGISTER: &str = r#"mutation { register(input: {username: "eve", displayName: "Eve", email: "eve@example.org",
    password: "a loom has many heddles"}) { auth { accessToken } } }"#;

fn request(app: &TestApp, method: Method, path: &str) -> RequestBuilder {
    reqwest::Client::new().request(method, app.url(path))
}

async fn post(app: &TestApp, accept: &str, body: impl Into<Body>) -> Response {
    let request = request(app, Method::POST, "/graphql");
    let request = request
        .header("accept", accept)
        .header("content-type", JSON);
    request.body(body).send().await.unwrap()
}

async fn get(app: &TestApp, parameters: &[(&str, &str)]) -> Response {
    let mut url = url::Url::parse(&app.url("/graphql")).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    let request = reqwest::Client::new().get(url).header("accept", RESPONSE);
    request.send().await.unwrap()
}

/// Registers the user of an earlier request, which only succeeds if that request had no effect.
async fn verify_that_the_name_is_free(app: &TestApp) {
    let result: Value = post(app, JSON, query(REGISTER)).await.json().await.unwrap();
    assert_eq!(result["errors"], Value::Null);
}

fn query(text: &str) -> String {
    json!({ "query": text }).to_string()
}

#[track_caller]
fn header(headers: &HeaderMap, name: &str) -> String {
    headers[name].to_str().unwrap().to_owned()
}

/// Returns the error of a response without data.
async fn only_error(response: Response) -> Value {
    let mut result: Value = response.json().await.unwrap();
    assert_eq!(result.as_object().unwrap().len(), 1, "{result}");
    assert_eq!(result["errors"].as_array().unwrap().len(), 1, "{result}");
    result["errors"][0].take()
}

#[tokio::test]
async fn the_status_depends_on_what_the_client_accepts() {
    let app = TestApp::sqlite().await;
    let cases = [
        ("{ __typename }", 200, "a good query"),
        ("{ __typename", 400, "no document"),
        ("{ nothing }", 422, "an unknown field"),
        (
            "query($x: Int!) { __typename @include(if: $x) }",
            422,
            "a missing variable",
        ),
        (
            "query A { __typename } query B { __typename }",
            422,
            "no choice among operations",
        ),
        ("subscription { x }", 422, "a subscription"),
    ];
    for (text, status, what) in cases {
        let newer = post(&app, RESPONSE, query(text)).await;
        assert_eq!(newer.status(), status, "{what}");
        assert_eq!(
            header(newer.headers(), "content-type"),
            format!("{RESPONSE}; charset=utf-8")
        );
        let older = post(&app, JSON, query(text)).await;
        assert_eq!(older.status(), 200, "{what}");
        assert_eq!(
            header(older.headers(), "content-type"),
            format!("{JSON}; charset=utf-8")
        );
        if status != 200 {
            assert_eq!(
                only_error(newer).await["extensions"]["code"],
                "BAD_USER_INPUT",
                "{what}"
            );
            only_error(older).await;
        }
    }
    let none = post(&app, "text/html", query("{ __typename }")).await;
    assert_eq!(none.status(), StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_malformed_request_is_rejected_for_any_accept_header() {
    let app = TestApp::sqlite().await;
    for accept in [JSON, RESPONSE] {
        for body in [
            "",
            "{",
            "null",
            "[]",
            r#"[{"query":"{ __typename }"}]"#,
            "{}",
            r#"{"query":{}}"#,
            r#"{"query":"{ __typename }","variables":[]}"#,
            r#"{"query":"{ __typename }","extensions":0}"#,
        ] {
            let response = post(&app, accept, body).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
            let error = only_error(response).await;
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{body}");
        }
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let app = TestApp::sqlite().await;
    let kinds = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
    ];
    for kind in kinds.into_iter().map(Some).chain([None]) {
        let mut request = request(&app, Method::POST, "/graphql").body(query(REGISTER));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = request.send().await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{kind:?}"
        );
    }
    // None of these requests had an effect.
    verify_that_the_name_is_free(&app).await;
}

#[tokio::test]
async fn a_query_can_be_read_by_get_and_a_change_cannot_be_made() {
    let app = TestApp::sqlite().await;
    let parameters = [
        (
            "query",
            "query A { a: __typename } query B($x: Boolean!) { viewer @include(if: $x) { id } c: __typename }",
        ),
        ("operationName", "B"),
        ("variables", r#"{"x":false}"#),
    ];
    let result: Value = get(&app, &parameters).await.json().await.unwrap();
    assert_eq!(result, json!({"data": {"c": "Query"}}));
    let refused = get(&app, &[("query", REGISTER)]).await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(refused.headers(), "allow"), "POST");
    assert_eq!(get(&app, &[]).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        get(&app, &[("query", "{ __typename }"), ("variables", "{")])
            .await
            .status(),
        StatusCode::BAD_REQUEST
    );
    // The rejected mutation had no effect: the name is free.
    verify_that_the_name_is_free(&app).await;
}

#[tokio::test]
async fn a_body_has_a_limit_with_or_without_a_length() {
    let app = TestApp::sqlite().await;
    let padded = |length: usize| {
        let text = query("{ __typename }");
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    assert_eq!(
        post(&app, JSON, padded(256 * 1024)).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        post(&app, JSON, padded(256 * 1024 + 1)).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let chunks = (0..17).map(|_| Ok::<_, std::io::Error>(vec![b' '; 16 * 1024]));
    let chunked = post(&app, JSON, Body::wrap_stream(stream::iter(chunks))).await;
    assert_eq!(chunked.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        only_error(chunked).await["extensions"]["code"],
        "TOO_COMPLEX"
    );
}

#[tokio::test]
async fn odd_methods_and_long_addresses_are_refused_everywhere() {
    let app = TestApp::sqlite().await;
    for path in ["/", "/graphql", "/healthz", "/graphiql", "/nowhere"] {
        for method in ["TRACE", "PUT", "DELETE", "PATCH", "PROPFIND"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let response = request(&app, method, path).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert!(response.headers().contains_key("allow"));
        }
    }
    let long = format!("/graphql?query={}", "a".repeat(8 * 1024));
    let response = request(&app, Method::GET, &long).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::URI_TOO_LONG);
    let nowhere = request(&app, Method::GET, "/nowhere").send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    assert_eq!(only_error(nowhere).await["extensions"]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn pages_of_other_sites_are_refused_unless_configured() {
    let friend = "https://chat.example.org";
    let app = TestApp::sqlite_with(|config| config.allowed_origins = vec![friend.to_owned()]).await;
    let from = |origin: &str, site: &str| {
        let request = request(&app, Method::POST, "/graphql").header("content-type", JSON);
        let request = request
            .header("origin", origin)
            .header("sec-fetch-site", site);
        request.body(query("{ __typename }")).send()
    };
    assert_eq!(
        from("https://evil.example.net", "cross-site")
            .await
            .unwrap()
            .status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        from(&app.url(""), "same-origin").await.unwrap().status(),
        StatusCode::OK
    );
    let allowed = from(friend, "cross-site").await.unwrap();
    assert_eq!(allowed.status(), StatusCode::OK);
    assert_eq!(
        header(allowed.headers(), "access-control-allow-origin"),
        friend
    );
    for (origin, result) in [(friend, Some(friend)), ("https://evil.example.net", None)] {
        let preflight = request(&app, Method::OPTIONS, "/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "content-type,authorization",
            );
        let preflight = preflight.send().await.unwrap();
        let allowed = preflight.headers().get("access-control-allow-origin");
        assert_eq!(allowed.map(|value| value.to_str().unwrap()), result);
    }
}

#[tokio::test]
async fn without_configured_origins_no_preflight_succeeds() {
    let app = TestApp::sqlite().await;
    let preflight = request(&app, Method::OPTIONS, "/graphql")
        .header("origin", "https://chat.example.org")
        .header("access-control-request-method", "POST");
    let preflight = preflight.send().await.unwrap();
    assert_eq!(preflight.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        !preflight
            .headers()
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn every_response_has_the_headers() {
    let app = TestApp::sqlite_with(|config| {
        config.mode = Mode::Production;
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let app = app.await;
    for path in ["/graphql", "/healthz", "/nowhere"] {
        let response = request(&app, Method::GET, path)
            .header("x-request-id", "abc-1")
            .header("x-forwarded-proto", "https")
            .send()
            .await
            .unwrap();
        let headers = response.headers();
        assert_eq!(header(headers, "x-request-id"), "abc-1");
        assert_eq!(header(headers, "x-content-type-options"), "nosniff");
        assert_eq!(header(headers, "x-frame-options"), "DENY");
        assert_eq!(header(headers, "referrer-policy"), "no-referrer");
        assert_eq!(header(headers, "cache-control"), "no-store");
        assert_eq!(
            header(headers, "cross-origin-resource-policy"),
            "same-origin"
        );
        assert!(header(headers, "content-security-policy").starts_with("default-src 'none'"));
        assert!(header(headers, "strict-transport-security").contains("63072000"));
        assert!(!headers.contains_key("server"));
    }
    let other = request(&app, Method::GET, "/healthz")
        .header("x-request-id", "a b")
        .send()
        .await
        .unwrap();
    assert_eq!(header(other.headers(), "x-request-id").len(), 32);
}

#[tokio::test]
async fn the_time_and_the_statements_are_reported() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let request = request(&app, Method::POST, "/graphql").header("content-type", JSON);
    let request = request
        .bearer_auth(ann.token.unwrap())
        .body(query("{ viewer { user { id } } }"));
    let timing = header(request.send().await.unwrap().headers(), "server-timing");
    assert!(
        timing.starts_with("total;dur=") && timing.contains(", db;dur="),
        "{timing}"
    );
    let statements = timing
        .split("statements;desc=\"")
        .nth(1)
        .unwrap()
        .trim_end_matches('"');
    assert!(statements.parse::<u32>().unwrap() > 0, "{timing}");
}

#[tokio::test]
async fn a_setting_hides_the_time_and_the_statements() {
    let app = TestApp::sqlite_with(|config| config.server_timing = false).await;
    let request = request(&app, Method::POST, "/graphql").header("content-type", JSON);
    let response = request.body(query("{ server { name } }")).send().await;
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("server-timing"));
}

#[tokio::test]
async fn errors_are_few_short_and_coded() {
    let app = TestApp::sqlite().await;
    let unknown: Vec<_> = (0..100)
        .map(|n| format!("unknown{n}_{}", "x".repeat(100)))
        .collect();
    let response = post(
        &app,
        RESPONSE,
        query(&format!("{{ {} }}", unknown.join(" "))),
    )
    .await;
    let result: Value = response.json().await.unwrap();
    let errors = result["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 10);
    for error in errors {
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        assert!(error["message"].as_str().unwrap().chars().count() <= 200);
    }
    let broken = post(&app, RESPONSE, query("query secret { se cret( }")).await;
    let error = only_error(broken).await;
    assert!(!error.to_string().contains("cret"), "{error}");
    assert_eq!(error["locations"][0]["line"], 1);
}

#[tokio::test]
async fn limits_are_named_with_their_figures() {
    let app = TestApp::sqlite().await;
    let deep = format!(
        "{{ {}{} }}",
        "viewer {".repeat(20),
        "}".repeat(20).replace('}', " id }")
    );
    let error = only_error(post(&app, RESPONSE, query(&deep)).await).await;
    let extensions = &error["extensions"];
    assert_eq!(extensions["code"], "TOO_COMPLEX");
    assert_eq!(
        (
            &extensions["limit"],
            &extensions["maximum"],
            &extensions["found"]
        ),
        (&json!("depth"), &json!(15), &json!(21))
    );
}

#[tokio::test]
async fn an_invalid_token_is_rejected() {
    let app = TestApp::sqlite().await;
    for token in ["", "x", "a.b.c", &"x".repeat(5000)] {
        let request = request(&app, Method::POST, "/graphql").header("content-type", JSON);
        let result = request
            .bearer_auth(token)
            .body(query("{ viewer { id } }"))
            .send()
            .await
            .unwrap();
        assert_eq!(
            result.json::<Value>().await.unwrap(),
            json!({"data": {"viewer": null}})
        );
    }
}

#[tokio::test]
async fn a_refused_field_leaves_its_siblings_alone() {
    let app = TestApp::sqlite().await;
    let text =
        r#"{ viewer { id } conversation(id: "cnv_01jd3k9v0efq8r2m4h6t8w0y2a") { id } __typename }"#;
    let result = app.anonymous().request(text, json!({})).await;
    assert_eq!(result["errors"].as_array().unwrap().len(), 1, "{result}");
    assert_eq!(result["errors"][0]["path"], json!(["conversation"]));
    assert_eq!(result["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let data = json!({"viewer": null, "conversation": null, "__typename": "Query"});
    assert_eq!(result["data"], data);
}

#[tokio::test]
async fn introspection_follows_its_setting() {
    let app = TestApp::sqlite_with(|config| config.public_introspection = false).await;
    let ann = app.person("Ann").await;
    let text = r#"{ __type(name: "Query") { name } }"#;
    app.anonymous()
        .expect_error("DISABLED", text, json!({}))
        .await;
    let seen = ann.execute(text, json!({})).await;
    assert_eq!(seen["__type"]["name"], "Query");
    let hidden = "query { ...F } fragment F on Query { s: __schema { types { name } } }";
    app.anonymous()
        .expect_error("DISABLED", hidden, json!({}))
        .await;
}

#[tokio::test]
async fn the_standard_introspection_query_succeeds() {
    let app = TestApp::sqlite().await;
    let text = include_str!("../../../src/http/guard/introspection.graphql");
    let seen = app.anonymous().execute(text, json!({})).await;
    assert_eq!(seen["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn a_server_reports_when_it_is_ready() {
    let app = TestApp::sqlite().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            request(&app, Method::GET, path)
                .send()
                .await
                .unwrap()
                .status(),
            StatusCode::OK
        );
    }
    app.app.db.clone().close().await.unwrap();
    let ready = request(&app, Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let alive = request(&app, Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(alive.status(), StatusCode::OK);
}

#[tokio::test]
async fn no_client_delays_the_shutdown_forever() {
    let app = TestApp::sqlite().await;
    let address = app.url("").replace("http://", "");
    let unfinished_body = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
        Content-Length: 9\r\n\r\n{";
    let cases = [
        ("", ""),
        ("POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", ""),
        (unfinished_body, "HTTP/1.1 408"),
    ];
    // All cases run concurrently, because each takes as long as the server's timeout.
    let hung_up = cases.map(|(sent, responded)| {
        let address = address.clone();
        async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut result = Vec::new();
            stream.read_to_end(&mut result).await.unwrap();
            let result = String::from_utf8_lossy(&result).into_owned();
            assert!(result.starts_with(responded), "{sent:?}: {result}");
        }
    });
    let all = futures_util::future::join_all(hung_up);
    tokio::time::timeout(Duration::from_secs(40), all)
        .await
        .unwrap();
}

#[tokio::test]
async fn headers_have_a_size() {
    let app = TestApp::sqlite().await;
    let huge = request(&app, Method::GET, "/healthz").header("x-huge", "x".repeat(40 * 1024));
    let huge = huge.send().await.unwrap();
    assert_eq!(huge.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn every_screen_of_the_client_has_its_address() {
    let app = TestApp::sqlite().await;
    for path in [
        "/",
        "/c/cnv_1",
        "/c/cnv_1/m/msg_1",
        "/t/thr_1",
        "/inbox",
        "/settings",
    ] {
        let page = request(&app, Method::GET, path).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        let headers = page.headers();
        assert_eq!(header(headers, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(headers, "cache-control"), "no-cache");
        let policy = header(headers, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            policy.contains("require-trusted-types-for 'script'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        let text = page.text().await.unwrap();
        assert!(
            text.starts_with("<!doctype html>") && text.contains("data-mode=\"development\""),
            "{text}"
        );
    }
    let production = TestApp::sqlite_with(|config| config.mode = Mode::Production).await;
    let page = request(&production, Method::GET, "/").send().await.unwrap();
    assert!(!page.text().await.unwrap().contains("data-mode"));
    for path in ["/c", "/c/", "/t/", "/inbox/x", "/app/none.js", "/app/"] {
        let absent = request(&app, Method::GET, path).send().await.unwrap();
        assert_eq!(absent.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_files_of_the_client_are_stored_for_ever() {
    let app = TestApp::sqlite().await;
    let page = request(&app, Method::GET, "/").send().await.unwrap();
    let text = page.text().await.unwrap();
    let files: Vec<&str> = text
        .split('"')
        .filter(|part| part.starts_with("/app/"))
        .collect();
    assert!(files.len() >= 3, "{text}");
    for path in files {
        let file = request(&app, Method::GET, path)
            .header("accept-encoding", "br")
            .send()
            .await
            .unwrap();
        assert_eq!(file.status(), StatusCode::OK, "{path}");
        let headers = file.headers();
        assert_eq!(header(headers, "content-encoding"), "br");
        assert!(header(headers, "cache-control").contains("immutable"));
    }
    let licenses = request(&app, Method::GET, "/licenses.txt")
        .send()
        .await
        .unwrap();
    let text = licenses.text().await.unwrap();
    assert!(
        text.contains("preact") && text.contains("SIL OPEN FONT LICENSE"),
        "{text}"
    );
}

#[tokio::test]
async fn graphiql_is_served_whole_and_alone() {
    let app = TestApp::sqlite().await;
    for path in ["/graphiql", "/graphiql/"] {
        let page = request(&app, Method::GET, path)
            .header("accept-encoding", "br")
            .send()
            .await
            .unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let headers = page.headers();
        assert_eq!(header(headers, "content-encoding"), "br");
        assert_eq!(header(headers, "content-type"), "text/html; charset=utf-8");
        let policy = header(headers, "content-security-policy");
        assert!(
            policy.contains("script-src 'self'; ") && policy.contains("connect-src 'self'; "),
            "{policy}"
        );
    }
    let plain = request(&app, Method::GET, "/graphiql")
        .send()
        .await
        .unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    assert!(plain.text().await.unwrap().starts_with("<!doctype html>"));
    let production = TestApp::sqlite_with(|config| config.mode = Mode::Production).await;
    let absent = request(&production, Method::GET, "/graphiql")
        .send()
        .await
        .unwrap();
    assert_eq!(absent.status(), StatusCode::NOT_FOUND);
}
