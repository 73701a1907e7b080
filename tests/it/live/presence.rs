//! Presence and typing cost little, however many people connect or watch.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    socket::Subscription,
    statements::Statements,
};

both!(
    people_who_connect_together_are_announced_together,
    a_change_of_presence_is_rendered_once_for_all,
    typing_is_rendered_once_for_all,
    presence_is_not_delivered_to_hundreds_of_subscribers,
);

const EVENTS: &str = "subscription($filter: EventFilter) { events(filter: $filter) { __typename
    ... on PresenceChangedEvent { user { username presence statusText } }
    ... on TypingChangedEvent { conversation { id } user { username } } } }";
const SET: &str = "mutation($input: SetPresenceInput!) { setPresence(input: $input) {
    user { presence statusText } } }";
const TYPE: &str = "mutation($input: SetTypingInput!) { setTyping(input: $input) { expiresAt } }";

async fn connects(who: &Person, category: &str) -> Subscription {
    let filter = json!({ "filter": { "categories": [category] } });
    let mut events = who.subscribe(EVENTS, filter).await;
    events.next().await;
    events
}

/// Sets the status of a user: it differs from that of people who connect.
async fn is_busy(who: &Person) {
    let input = json!({ "status": "BUSY", "statusText": who.username });
    who.execute(SET, json!({ "input": input })).await;
}

/// Receives the status of all these people.
async fn receives_all(events: &mut Subscription, people: &[Person]) {
    let mut missing: Vec<_> = people.iter().map(|who| who.username.clone()).collect();
    while !missing.is_empty() {
        let user = events.next().await["events"]["user"].take();
        if user["presence"] == "BUSY" {
            assert_eq!(user["statusText"], user["username"]);
            missing.retain(|name| user["username"] != json!(name));
        }
    }
}

/// A group of people with one stream each.
async fn group(app: &TestApp, size: usize, category: &str) -> (Vec<Person>, Vec<Subscription>) {
    let mut people = vec![];
    for number in 0..size {
        people.push(app.person(&format!("Person{number}")).await);
    }
    let (first, others) = people.split_first().unwrap();
    let others: Vec<_> = others.iter().collect();
    first.creates_group(Some("Weavers"), &others).await;
    let streams = join_all(people.iter().map(|who| connects(who, category))).await;
    (people, streams)
}

async fn people_who_connect_together_are_announced_together(app: TestApp) {
    const PEOPLE: usize = 12;
    let statements = Statements::capture();
    let (people, mut streams) = group(&app, PEOPLE, "PRESENCE").await;
    let last = people.last().unwrap();
    is_busy(last).await;
    let only = std::slice::from_ref(last);
    join_all(streams.iter_mut().map(|events| receives_all(events, only))).await;
    let statements = statements.end();
    let stored = |text: &&String| text.contains("INSERT INTO connected");
    let stored = statements.iter().filter(stored).count();
    assert!(
        (1..PEOPLE).contains(&stored),
        "{stored} statements for {PEOPLE} people"
    );
}

async fn a_change_of_presence_is_rendered_once_for_all(app: TestApp) {
    const PEOPLE: usize = 10;
    let (people, mut streams) = group(&app, PEOPLE, "PRESENCE").await;
    let statements = Statements::capture();
    for who in &people {
        is_busy(who).await;
    }
    let all = |events| receives_all(events, &people);
    join_all(streams.iter_mut().map(all)).await;
    let statements = statements.end();
    let loads = |text: &&String| text.contains("AS is_contact");
    let loads = statements.iter().filter(loads).count();
    // For each change one for everyone else, one for the user's own stream, and one for the response. Some users may
    // still be announced as connected.
    assert!(loads <= 5 * PEOPLE, "{loads} for {PEOPLE} changes");
}

async fn typing_is_rendered_once_for_all(app: TestApp) {
    let (people, mut streams) = group(&app, 8, "TYPING").await;
    let groups = "{ viewer { conversations(first: 1) { nodes { id } } } }";
    let found = people[0].execute(groups, Value::Null).await;
    let id = text(&found["viewer"]["conversations"]["nodes"][0]["id"]);
    let rendered = app.app.hub.payload_cache().rendered();
    let input = json!({ "conversationId": id, "isTyping": true });
    people[1].execute(TYPE, json!({ "input": input })).await;
    // All but her.
    streams.remove(1);
    for events in &mut streams {
        let event = events.next().await["events"].take();
        assert_eq!(event["conversation"]["id"], json!(id));
        assert_eq!(event["user"]["username"], json!(people[1].username));
    }
    let rendered = app.app.hub.payload_cache().rendered() - rendered;
    assert_eq!(rendered, 1);
}

async fn presence_is_not_delivered_to_hundreds_of_subscribers(app: TestApp) {
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    ann.creates_group(Some("Everyone"), &[&bob]).await;
    bob.direct(&cleo).await;
    let mut watches = connects(&bob, "PRESENCE").await;
    let _ann = connects(&ann, "PRESENCE").await;
    is_busy(&ann).await;
    receives_all(&mut watches, std::slice::from_ref(&ann)).await;
    // Only streams of the group count, wherever they come from.
    let mut sockets = vec![];
    for who in [&ann, &ann, &bob] {
        let mut socket = connects(who, "TYPING").await;
        for id in 2..=70 {
            let filter = json!({ "filter": { "categories": ["TYPING"] } });
            let id = id.to_string();
            socket.subscribe(&id, EVENTS, filter).await.unwrap();
            socket.next().await;
        }
        sockets.push(socket);
    }
    let away = json!({ "input": { "status": "AWAY" } });
    ann.execute(SET, away).await;
    is_busy(&cleo).await;
    loop {
        let user = watches.next().await["events"]["user"].take();
        assert!(user["presence"] != "AWAY", "{user}");
        if user["username"] == json!(cleo.username) {
            break;
        }
    }
    // A query still returns it.
    let seen = "query($name: String!) { user(by: { username: $name }) { presence } }";
    let found = bob.execute(seen, json!({ "name": ann.username })).await;
    assert_eq!(found["user"]["presence"], "AWAY");
}
