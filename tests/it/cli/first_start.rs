//! The first start: a link for the first administrator, or an administrator from the settings.

use std::fs;

use serde_json::{Value, json};

use super::{Machine, on_both, serving::Server};

const GOOD: &str = "a loom has many heddles";

on_both!(
    the_printed_link_creates_the_first_administrator,
    the_settings_create_the_first_administrator,
);

/// The token of the line of a banner that has the link.
fn token(banner: &str) -> Option<String> {
    let link = banner.lines().find(|line| line.contains("/setup#"))?;
    Some(link.split_once('#').unwrap().1.trim().to_owned())
}

async fn register(address: &str, token: &str) -> Value {
    let query = "mutation($input: RegisterInput!) { register(input: $input) {
        auth { viewer { role } } } }";
    let input = json!({ "username": "ann", "email": "ann@example.org", "password": GOOD,
        "setupToken": token });
    let body = json!({ "query": query, "variables": { "input": input } });
    let url = format!("http://{address}/graphql");
    let sent = reqwest::Client::new().post(url).json(&body).send().await;
    sent.unwrap().json().await.unwrap()
}

async fn the_printed_link_creates_the_first_administrator(machine: Machine) {
    let start = ["serve", "--listen", "127.0.0.1:0"];
    let server = Server::start(&machine, &start);
    let first = token(&server.banner).unwrap();
    let page = format!("http://{}/setup", server.address);
    let page = reqwest::get(page).await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(server.stop(), Some(0));
    // It is printed until it is used, and on demand, also while the server runs.
    let server = Server::start(&machine, &start);
    assert!(token(&server.banner).is_some(), "{}", server.banner);
    let printed = machine.runs(&["admin", "link", "--public-url", "https://chat.example.com"]);
    let second = token(&printed).unwrap();
    assert!(printed.starts_with("https://chat.example.com/setup#hst_"));

    let registered = register(&server.address, &first).await;
    let role = &registered["data"]["register"]["auth"]["viewer"]["role"];
    assert_eq!(role, "ADMIN", "{registered}");
    let again = register(&server.address, &second).await;
    assert_eq!(again["errors"][0]["extensions"]["code"], "EXPIRED");
    let refused = machine.fails(1, &["admin", "link"]);
    assert!(
        refused.contains("there is an administrator already"),
        "{refused}"
    );
    assert_eq!(server.stop(), Some(0));
    let server = Server::start(&machine, &start);
    assert_eq!(token(&server.banner), None);
    assert_eq!(server.stop(), Some(0));
}

async fn the_settings_create_the_first_administrator(machine: Machine) {
    let server_with = |password: &str| {
        fs::write(machine.path("password"), format!("{password}\n")).unwrap();
        let mut command = machine.heddle(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .env("HEDDLE_ADMIN_EMAIL", "ann@example.org")
            .env("HEDDLE_ADMIN_PASSWORD_FILE", machine.path("password"));
        command
    };
    let weak = server_with("short").output().unwrap();
    assert_eq!(weak.status.code(), Some(3), "{weak:?}");
    let server = Server::started(server_with(GOOD));
    assert_eq!(token(&server.banner), None);
    let administrators = machine.runs(&["admin", "list"]);
    assert!(administrators.contains("ADMIN      ann"));
    assert_eq!(server.stop(), Some(0));
    // Another password has no effect when there is an administrator.
    let server = Server::started(server_with("another loom of many heddles"));
    let query =
        "mutation { signIn(input: { login: \"ann\", password: \"a loom has many heddles\" }) {
        auth { viewer { role } } } }";
    let url = format!("http://{}/graphql", server.address);
    let body = json!({ "query": query });
    let sent = reqwest::Client::new().post(url).json(&body).send().await;
    let signed_in: Value = sent.unwrap().json().await.unwrap();
    let role = &signed_in["data"]["signIn"]["auth"]["viewer"]["role"];
    assert_eq!(role, "ADMIN", "{signed_in}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_address_without_a_password_is_rejected() {
    let machine = Machine::sqlite();
    let mut command = machine.heddle(&["serve"]);
    command.env("HEDDLE_ADMIN_EMAIL", "ann@example.org");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}
