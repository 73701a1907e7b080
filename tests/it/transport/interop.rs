//! What clients of many languages send: headers in all their forms, marks before a text, and requests that only some
//! servers support.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{app::TestApp, groups::Groups};

const QUERY: &str = r#"{"query":"{ server { name } }"}"#;

/// Posts a body with these headers, of which one may occur several times.
async fn post(app: &TestApp, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
    let mut request = reqwest::Client::new().post(app.url("/graphql"));
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).send().await.unwrap()
}

#[track_caller]
fn ran(response: Response) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        assert_eq!(response.status(), StatusCode::OK, "{caller}");
        let result: Value = response.json().await.unwrap();
        assert!(
            result["data"]["server"]["name"].is_string(),
            "{caller}: {result}"
        );
    }
}

#[tokio::test]
async fn every_form_of_accepting_json_is_understood() {
    let app = TestApp::sqlite().await;
    for accept in [
        &["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"][..],
        &[""],
        &["*"],
        &["application/json; charset=utf8"],
        &["text/html;note=\"a, b\"", "application/*;q=.001"],
        &["application/json;q=1.5"],
    ] {
        let accept: Vec<_> = accept.iter().map(|line| ("accept", *line)).collect();
        ran(post(&app, &accept, QUERY).await).await;
    }
    for accept in ["text/html", "*/*;q=0", "application/json;q=.0"] {
        let refused = post(&app, &[("accept", accept)], QUERY).await;
        assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE, "{accept}");
    }
}

#[tokio::test]
async fn a_body_is_json_in_utf8_under_every_name_of_it() {
    let app = TestApp::sqlite().await;
    for kind in [
        "application/json; charset=utf8",
        "application/json;charset=UTF8",
        "application/json; charset=\"utf-8\"",
        "application/json;",
    ] {
        ran(post(&app, &[("content-type", kind)], QUERY).await).await;
    }
    for kind in [
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
    ] {
        let refused = post(&app, &[("content-type", kind)], QUERY).await;
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(refused.headers()["accept"], "application/json");
    }
}

#[tokio::test]
async fn a_body_in_a_content_coding_is_refused() {
    let app = TestApp::sqlite().await;
    ran(post(&app, &[("content-encoding", "identity")], QUERY).await).await;
    for coding in ["gzip", "identity, br", "zstd", "unknown"] {
        let refused = post(&app, &[("content-encoding", coding)], QUERY).await;
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(refused.headers()["accept-encoding"], "identity");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_no_part_of_the_text() {
    let app = TestApp::sqlite().await;
    ran(post(&app, &[], format!("\u{feff}{QUERY}")).await).await;
    let document = json!({ "query": "\u{feff}{ server { name } }" });
    ran(post(&app, &[], document.to_string()).await).await;
}

#[tokio::test]
async fn head_works_wherever_get_works() {
    let app = TestApp::sqlite().await;
    let client = reqwest::Client::new();
    let subscription = "/graphql?query=subscription%7Bevents%7B__typename%7D%7D";
    let mutation = "/graphql?query=mutation%7BsignOut%7BendedSessionId%7D%7D";
    for (path, accept) in [
        ("/", "*/*"),
        ("/healthz", "*/*"),
        ("/readyz", "*/*"),
        ("/client.js", "*/*"),
        ("/graphiql", "*/*"),
        ("/nowhere", "*/*"),
        ("/graphql?query=%7Bserver%7Bname%7D%7D", "*/*"),
        ("/graphql?query=%7Bserver%7Bname%7D%7D", "text/event-stream"),
        ("/graphql", "application/graphql-response+json"),
        (subscription, "*/*"),
        (subscription, "text/event-stream"),
        (mutation, "application/json"),
    ] {
        let send = |method| {
            client
                .request(method, app.url(path))
                .header("accept", accept)
        };
        let get = send(Method::GET).send().await.unwrap();
        let head = send(Method::HEAD).send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-type", "allow", "cache-control", "content-length"] {
            let (head, get) = (head.headers().get(name), get.headers().get(name));
            assert_eq!(head, get, "{name} of {path}");
        }
        assert_eq!(head.bytes().await.unwrap(), "", "{path}");
    }
}

#[tokio::test]
async fn a_stored_document_is_sent_again_with_its_text() {
    let app = TestApp::sqlite().await;
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": "a".repeat(64) } });
    let hash = json!({ "operationName": "A", "variables": {}, "extensions": extensions });
    let mut url = url::Url::parse(&app.url("/graphql")).unwrap();
    let parameters = [("extensions", extensions.to_string())];
    url.query_pairs_mut().extend_pairs(&parameters);
    for response in [
        post(&app, &[], hash.to_string()).await,
        reqwest::get(url).await.unwrap(),
    ] {
        assert_eq!(response.status(), StatusCode::OK);
        let result: Value = response.json().await.unwrap();
        let error = &result["errors"][0];
        assert_eq!(error["message"], "PersistedQueryNotSupported");
        let code = &error["extensions"]["code"];
        assert_eq!(code, "PERSISTED_QUERY_NOT_SUPPORTED");
        assert!(result.get("data").is_none());
    }
    let newer = [("accept", "application/graphql-response+json")];
    let newer = post(&app, &newer, hash.to_string()).await;
    assert_eq!(newer.status(), StatusCode::BAD_REQUEST);
    let with_text = json!({ "query": "{ server { name } }", "extensions": extensions });
    ran(post(&app, &[], with_text.to_string()).await).await;
}

#[tokio::test]
async fn half_of_a_surrogate_pair_is_an_error_of_the_client() {
    let app = TestApp::sqlite().await;
    for value in [r#""cut \ud83e""#, r#"{"\udde6":1}"#, "1e999"] {
        let body = format!(r#"{{"query":"{{ server {{ name }} }}","variables":{{"a":{value}}}}}"#);
        let refused = post(&app, &[], body).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        let result: Value = refused.json().await.unwrap();
        let message = result["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("surrogate pair"), "{message}");
    }
    ran(post(&app, &[], QUERY).await).await;
}

#[tokio::test]
async fn strings_and_enums_in_a_document_have_the_meaning_of_the_specification() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let group = ann.creates_group(Some("Words"), &[]).await;
    let send = async |text: &str, more: &str| {
        let document = format!(
            "mutation($c: ID!) {{ sendMessage(input: {{ conversationId: $c, body: {text} {more} }})
                {{ message {{ body priority }} }} }}"
        );
        ann.request(&document, json!({ "c": group })).await
    };
    for (literal, body) in [
        (r#""a\ud83e\uddf6b""#, "a🧶b"),
        (r#""a\u{1F9F6}b""#, "a🧶b"),
        (r#""a\u{00001F9F6}b""#, "a🧶b"),
        (
            "\"\"\"\n  one \\\"\"\" two\n    three\n\"\"\"",
            "one \"\"\" two\n  three",
        ),
    ] {
        let response = send(literal, "").await;
        assert_eq!(
            response["data"]["sendMessage"]["message"]["body"], body,
            "{response}"
        );
    }
    for literal in [
        r#""a\ud83eb""#,
        r#""a\udde6b""#,
        r#""a\u{110000}b""#,
        r#""a\u{}b""#,
    ] {
        let refused = send(literal, "").await;
        let code = &refused["errors"][0]["extensions"]["code"];
        assert_eq!(code, "BAD_USER_INPUT", "{literal}: {refused}");
    }
    let refused = send("\"x\"", "priority: \"URGENT\"").await;
    let code = &refused["errors"][0]["extensions"]["code"];
    assert_eq!(code, "BAD_USER_INPUT", "{refused}");
    let response = send("\"x\"", "priority: URGENT").await;
    assert_eq!(
        response["data"]["sendMessage"]["message"]["priority"],
        "URGENT"
    );
}

#[tokio::test]
async fn an_unknown_transfer_coding_is_not_decoded() {
    let app = TestApp::sqlite().await;
    let address = app.url("").replace("http://", "");
    for (codings, status) in [("chunked", "200"), ("gzip, chunked", "501")] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: {codings}\r\nConnection: close\r\n\r\n{:x}\r\n{QUERY}\r\n0\r\n\r\n",
            QUERY.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert_eq!(response.split(' ').nth(1), Some(status), "{response}");
    }
}
