//! Users who request long Markdown as HTML all the time.

use futures_util::future::join_all;
use serde_json::json;

use super::target::Target;
use crate::support::{groups::Groups, messaging::Messaging, person::Person};

/// Attackers, each with one request at a time.
const PEOPLE: usize = 4;
/// Messages of each.
const MESSAGES: usize = 24;
/// The texts that take longest for their length.
const UNITS: [&str; 4] = ["a*", "`a", "**a**", "[a](b)"];
/// The maximum length of a message.
const LENGTH: usize = 10_000;

const LIST: &str = "query($id: ID!) { conversation(id: $id) {
    a: messages(last: 60) { nodes { bodyHtml } } b: messages(last: 60) { nodes { b: bodyHtml } }
    c: messages(last: 60) { edges { node { bodyHtml } } } } }";

#[tokio::test]
async fn rendering_delays_no_one() {
    let mut target = Target::on_sqlite(&[]).await;
    let endpoint = format!("{}/graphql", target.url());
    let mut attackers = vec![];
    for number in 0..PEOPLE {
        let who = Person::anonymous_at(endpoint.clone());
        let who = who.sign_up(&format!("Eve{number}")).await;
        let group = who.creates_group(Some("Long texts"), &[]).await;
        for message in 0..MESSAGES {
            let unit = UNITS[message % UNITS.len()];
            let text = unit.repeat(LENGTH / unit.len() - 4);
            who.says(&group, &format!("{text} {message}")).await;
        }
        // Each text is rendered once. Only repetitions are the attack.
        who.execute(LIST, json!({ "id": group })).await;
        attackers.push((who, group));
    }
    let figures = target.withstands("rendered texts", |_| async move {
        let attacks = attackers.iter().map(|(who, group)| async move {
            loop {
                // The server may limit the rate.
                let _ = who.try_request(LIST, json!({ "id": group })).await;
            }
        });
        let _: Vec<()> = join_all(attacks).await;
    });
    figures.await.are_within_limits();
}
