//! The list of all messages that a viewer sees, across conversations.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    seed::seed,
};

both!(
    the_list_has_every_message_of_every_conversation,
    conversations_of_others_are_not_in_the_list,
    long_filters_are_refused,
);

const LIST: &str = "query($filter: MessageFilter, $order: MessageOrder!, $first: Int, $after: String,
        $last: Int, $before: String) {
    viewer { messages(filter: $filter, order: $order, first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { id } } nodes { id sender { username } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

/// What the list is compared with.
const TIMELINE: &str = "query($id: ID!) { conversation(id: $id) { messages(first: 100, includeReplies: true) {
    nodes { id createdAt sequence deletedAt viewerHasRead kind sender { id } conversation { id } } } } }";

/// A message of a timeline.
#[derive(Clone, Debug)]
struct Listed {
    id: String,
    position: (String, String, i64),
    sender: Option<String>,
    is_unread: bool,
}

async fn timelines(who: &Person, conversations: &[&String]) -> Vec<Listed> {
    let mut all = vec![];
    for id in conversations {
        let data = who.execute(TIMELINE, json!({ "id": id })).await;
        let nodes = data["conversation"]["messages"]["nodes"].as_array();
        let nodes = nodes.unwrap().iter();
        all.extend(
            nodes
                .filter(|node| node["deletedAt"].is_null())
                .map(|node| {
                    let sequence = node["sequence"].as_i64().unwrap();
                    Listed {
                        id: text(&node["id"]),
                        position: (text(&node["createdAt"]), (*id).clone(), sequence),
                        sender: node["sender"]["id"].as_str().map(ToOwned::to_owned),
                        is_unread: node["viewerHasRead"] == false,
                    }
                }),
        );
    }
    all.sort_by(|one, other| one.position.cmp(&other.position));
    all
}

/// Returns the ids of all pages, from the given end.
async fn paged(
    who: &Person,
    filter: &Value,
    order: &str,
    size: usize,
    from_end: bool,
) -> Vec<String> {
    let (count, cursor, more, next) = if from_end {
        ("last", "before", "hasPreviousPage", "startCursor")
    } else {
        ("first", "after", "hasNextPage", "endCursor")
    };
    let mut variables = json!({ "filter": filter, "order": order, count: size });
    let mut found = vec![];
    loop {
        let mut data = who.execute(LIST, variables.clone()).await;
        let list = data["viewer"]["messages"].take();
        let edges = list["edges"].as_array().unwrap();
        let nodes = list["nodes"].as_array().unwrap();
        assert_eq!(edges.len(), nodes.len());
        let mut page: Vec<_> = edges.iter().map(|edge| text(&edge["node"]["id"])).collect();
        if from_end {
            page.extend(found);
            found = page;
        } else {
            found.extend(page);
        }
        if list["pageInfo"][more] == false {
            return found;
        }
        variables[cursor] = list["pageInfo"][next].clone();
    }
}

async fn the_list_has_every_message_of_every_conversation(app: TestApp) {
    let mut random = StdRng::seed_from_u64(seed());
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    let people = [&ann, &bob, &cleo];
    let loom = ann.creates_group(Some("Loom"), &[&bob, &cleo]).await;
    let weft = bob.creates_group(Some("Weft"), &[&ann]).await;
    let direct = ann.direct(&bob).await;
    let late = bob.creates_group(Some("Late"), &[&cleo]).await;
    let places = [
        (&loom, &people[..]),
        (&weft, &people[..2]),
        (&direct, &people[..2]),
        (&late, &people[1..]),
    ];
    let mut sent: Vec<(String, String)> = vec![];
    let mut deletable = vec![];
    for number in 0..60 {
        // Many are sent in the same millisecond as others, and sometimes the clock is set back.
        let step = [0, 0, 0, 1, 20, -10].choose(&mut random).copied();
        app.app
            .clock
            .advance(TimeDelta::milliseconds(step.unwrap()));
        let (place, members) = places.choose(&mut random).unwrap();
        let who = members.choose(&mut random).unwrap();
        let body = format!("message {number}");
        let parents: Vec<_> = sent.iter().filter(|(at, _)| at == *place).collect();
        let message = match parents.choose(&mut random) {
            Some((_, parent)) if random.random_bool(0.4) => who.replies(place, parent, &body).await,
            _ => who.says(place, &body).await,
        };
        if random.random_bool(0.15) {
            deletable.push((*who, message));
        } else {
            sent.push(((*place).clone(), message));
        }
        if number == 40 {
            let history =
                "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) {
                conversation { id } } }";
            let input = json!({ "conversationId": late, "historyVisibility": "FROM_JOINING" });
            bob.execute(history, json!({ "input": input })).await;
            bob.adds(&late, &ann, "MEMBER").await;
        }
    }
    for (who, message) in deletable {
        who.deletes(&message).await;
    }
    let some: Vec<_> = sent
        .choose_multiple(&mut random, 15)
        .map(|(_, id)| id)
        .collect();
    let read = "mutation($input: MarkMessagesReadInput!) { markMessagesRead(input: $input) { markedCount } }";
    ann.execute(read, json!({ "input": { "messageIds": some } }))
        .await;
    let all = timelines(&ann, &[&loom, &weft, &direct, &late]).await;
    assert!(all.len() > 30);
    let time = |at: usize| all[all.len() * at / 4].position.0.clone();
    for filter in [
        Value::Null,
        json!({ "conversationIds": [loom, direct] }),
        json!({ "conversationIds": [] }),
        json!({ "senderIds": [bob.id] }),
        json!({ "senderIds": [bob.id, cleo.id, cleo.id] }),
        json!({ "senderIds": [ann.id, cleo.id], "conversationIds": [loom, late] }),
        json!({ "since": time(1) }),
        json!({ "until": time(3) }),
        json!({ "since": time(1), "until": time(2), "senderIds": [ann.id, bob.id] }),
        json!({ "since": time(3), "until": time(1) }),
        json!({ "unreadOnly": true }),
        json!({ "unreadOnly": true, "senderIds": [bob.id], "since": time(1) }),
        json!({ "unreadOnly": true, "until": time(2), "conversationIds": [loom, late] }),
    ] {
        let mut expected = matching(&all, &filter);
        for order in ["OLDEST_FIRST", "NEWEST_FIRST"] {
            for (size, from_end) in [(1, false), (7, false), (7, true), (100, true)] {
                let found = paged(&ann, &filter, order, size, from_end).await;
                assert_eq!(found, expected, "{filter} {order} {size} {from_end}");
            }
            expected.reverse();
        }
    }
}

/// The ids that a filter selects, oldest first.
fn matching(all: &[Listed], filter: &Value) -> Vec<String> {
    let among = |name: &str, value: Option<&str>| match filter[name].as_array() {
        Some(wanted) => wanted.iter().any(|one| one.as_str() == value),
        None => true,
    };
    let bound = |name: &str| filter[name].as_str();
    let is_wanted = |message: &&Listed| {
        let (at, conversation, _) = &message.position;
        among("conversationIds", Some(conversation))
            && among("senderIds", message.sender.as_deref())
            && bound("since").is_none_or(|since| at.as_str() >= since)
            && bound("until").is_none_or(|until| at.as_str() < until)
            && (filter["unreadOnly"] != true || message.is_unread)
    };
    let wanted = all.iter().filter(is_wanted);
    wanted.map(|message| message.id.clone()).collect()
}

async fn conversations_of_others_are_not_in_the_list(app: TestApp) {
    let (ann, bob, eve) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Eve").await,
    );
    let group = ann.creates_group(Some("Loom"), &[&bob, &eve]).await;
    let seen = ann.says(&group, "for everyone").await;
    eve.leaves(&group).await;
    let direct = ann.direct(&bob).await;
    ann.says(&direct, "for @bob").await;
    for filter in [
        Value::Null,
        json!({ "conversationIds": [group, direct] }),
        json!({ "senderIds": [ann.id] }),
        json!({ "unreadOnly": true }),
        json!({ "unreadOnly": true, "conversationIds": [direct] }),
    ] {
        for order in ["OLDEST_FIRST", "NEWEST_FIRST"] {
            let found = paged(&eve, &filter, order, 10, false).await;
            assert_eq!(found, Vec::<String>::new(), "{filter}");
        }
    }
    let of_bob: BTreeSet<_> = paged(&bob, &Value::Null, "NEWEST_FIRST", 2, false)
        .await
        .into_iter()
        .collect();
    assert!(of_bob.contains(&seen));
    let query = "{ viewer { messages { nodes { id } } } }";
    let of_no_one = app.anonymous().execute(query, Value::Null).await;
    assert_eq!(of_no_one["viewer"], Value::Null);
}

async fn long_filters_are_refused(app: TestApp) {
    let ann = app.person("Ann").await;
    for (field, count) in [("conversationIds", 101), ("senderIds", 21)] {
        let ids = vec![ann.id.clone(); count];
        let variables = json!({ "filter": { field: ids }, "order": "NEWEST_FIRST" });
        let error = ann.expect_error("BAD_USER_INPUT", LIST, variables).await;
        let problem = &error["extensions"]["problems"][0];
        assert_eq!(problem["path"], json!(["filter", field]));
        assert_eq!(problem["code"], "TOO_MANY");
    }
}
