//! Several nodes are one server: whoever is on one hears what happens on another, whatever breaks.

use serde_json::{Value, json};

use super::storm::{self, Fault};
use crate::support::{cluster::Cluster, person::text};

#[tokio::test]
async fn two_nodes_and_redis_that_comes_and_goes() {
    let faults = [Fault::RedisRestarted, Fault::RedisAway(3)];
    storm::rages(Cluster::with_redis(2).await, &faults).await;
}

#[tokio::test]
async fn two_nodes_without_redis() {
    storm::rages(Cluster::without_redis(2).await, &[Fault::NodeKilled]).await;
}

#[tokio::test]
async fn three_nodes_and_everything_breaks() {
    let faults = [
        Fault::NodeKilled,
        Fault::RedisRestarted,
        Fault::NodeKilled,
        Fault::PostgresRestarted,
    ];
    storm::rages(Cluster::with_redis(3).await, &faults).await;
}

/// What one node gave is good at another: they share no folder, only the secret key.
#[tokio::test]
async fn tokens_and_cursors_of_one_node_are_good_at_another() {
    let cluster = Cluster::without_redis(2).await;
    let ann = cluster.person("Ann").await;
    let there = cluster.at(1, &ann);
    let query = "{ eventCursor viewer { user { username } } }";
    let seen = there.asks(query, Value::Null).await;
    assert_eq!(seen["viewer"]["user"]["username"], "ann");
    let cursor = text(&seen["eventCursor"]);
    assert!(cursor.len() <= 512, "{cursor}");
    let events = "subscription($after: String) { events(after: $after) {
        ... on StreamOpenedEvent { outcome } } }";
    for who in [ann, there] {
        let after = json!({ "after": cursor });
        let mut opened = who.subscribes(events, after).await;
        assert_eq!(opened.next().await["events"]["outcome"], "RESUMED");
    }
}
