//! Tests the server with third-party programs: the public audits, real client libraries and a real browser. These tests
//! are JavaScript (`tests/clients`); this module starts the real binary for each of them.

use std::{path::Path, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::support::{app::TestApp, binary::Binary};

/// Longer than any suite needs, and shorter than the timeout of the test runner.
const PATIENCE: Duration = Duration::from_secs(280);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// Runs one suite against a server, and fails with its output.
async fn satisfied(file: &str, server: &Binary) {
    run(file, server.url()).await;
}

async fn run(file: &str, url: &str) {
    let arguments = ["--test", "--test-reporter=spec", file];
    node(FOLDER, &arguments, url).await;
}

/// Runs node in a folder whose packages are installed, and fails with its output.
async fn node(folder: &str, arguments: &[&str], url: &str) {
    assert!(
        Path::new(folder).join("node_modules").exists(),
        "{folder} is not installed: sh tests/run does it, or npm ci in that folder"
    );
    let running = Command::new("node")
        .args(arguments)
        .current_dir(folder)
        .env("HEDDLE_URL", url)
        .env("HEDDLE_BINARY", env!("CARGO_BIN_EXE_heddle"))
        .env("HEDDLE_PICTURES", env!("CARGO_TARGET_TMPDIR"))
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, running).await.unwrap().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn the_public_audits_of_graphql_over_http_hold() {
    satisfied("audits.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn graphql_js_reads_the_committed_schema() {
    run("contract.test.js", "http://no.server.needed").await;
}

#[tokio::test]
async fn graphql_ws_talks_on_sqlite() {
    satisfied("graphql-ws.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn graphql_ws_talks_on_postgres() {
    satisfied("graphql-ws.test.js", &Binary::on_postgres().await).await;
}

#[tokio::test]
async fn graphql_sse_and_curl_talk_on_sqlite() {
    satisfied("graphql-sse.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn graphql_sse_and_curl_talk_on_postgres() {
    satisfied("graphql-sse.test.js", &Binary::on_postgres().await).await;
}

#[tokio::test]
async fn apollo_client_talks() {
    satisfied("apollo.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn urql_talks() {
    satisfied("urql.test.js", &Binary::on_sqlite().await).await;
}

/// Long enough to be usable, and so short that every suite renews it several times.
const SHORT: Duration = Duration::from_secs(4);

#[tokio::test]
async fn heddles_own_client_loses_nothing_on_sqlite() {
    let app = TestApp::sqlite_with(|config| config.access_token_lifetime = SHORT).await;
    run("client.test.js", &app.url("")).await;
}

#[tokio::test]
async fn heddles_own_client_loses_nothing_on_postgres() {
    let app = TestApp::postgres_with(|config| config.access_token_lifetime = SHORT).await;
    run("client.test.js", &app.url("")).await;
}

#[tokio::test]
async fn heddles_own_client_shares_a_sign_in_between_tabs() {
    // A browser on a busy machine needs more time to renew a token before it expires.
    let app = TestApp::sqlite_with(|config| config.access_token_lifetime = 2 * SHORT).await;
    run("client-browser.test.js", &app.url("")).await;
}

#[tokio::test]
async fn graphiql_works_in_a_browser_that_reaches_nothing_else() {
    satisfied("graphiql.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn graphiql_renews_its_tokens() {
    let app = TestApp::sqlite_with(|config| config.access_token_lifetime = 2 * SHORT).await;
    run("graphiql-renewal.test.js", &app.url("")).await;
}

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/app");

#[tokio::test]
async fn people_use_the_web_client_in_browsers_of_their_own() {
    satisfied("app.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn the_web_client_starts_without_a_connection_and_updates() {
    satisfied("app-offline.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn the_web_client_says_what_went_wrong_and_loses_nothing() {
    satisfied("app-failures.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn the_web_client_looks_as_before() {
    satisfied("app-looks.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn the_web_client_shows_long_threads_without_jumps() {
    satisfied("app-long-thread.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn the_first_administrator_registers_in_the_web_client() {
    run("app-setup.test.js", "http://no.server.needed").await;
}

#[tokio::test]
async fn links_in_mails_work_in_the_web_client() {
    run("app-mail.test.js", "http://no.server.needed").await;
}

#[tokio::test]
async fn the_client_signs_in_with_a_code_in_a_browser() {
    run("app-second-factor.test.js", "http://no.server.needed").await;
}

#[tokio::test]
async fn people_block_each_other_in_a_browser() {
    satisfied("app-blocks.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn an_administrator_uses_the_console_in_a_browser() {
    let settings = vec![
        ("HEDDLE_ADMIN_EMAIL", "root@example.com"),
        ("HEDDLE_ADMIN_PASSWORD", "a loom has many heddles"),
    ];
    let server = Binary::on_sqlite_with(settings).await;
    satisfied("app-console.test.js", &server).await;
}

#[tokio::test]
async fn everyone_can_use_every_screen_of_the_web_client() {
    satisfied("app-access.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn events_lead_the_web_client_to_what_a_fresh_load_shows() {
    satisfied("app-store.test.js", &Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn the_web_client_is_built_from_its_sources() {
    node(APP, &["check.js"], "http://no.server.needed").await;
}
