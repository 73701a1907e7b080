//! People open conversations, name them, list them and close them.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{Person, text},
};

const OPEN: &str = "mutation($input: OpenDirectConversationInput!) {
    openDirectConversation(input: $input) { wasCreated conversation { id } } }";
const CREATE: &str = "mutation($input: CreateConversationInput!) {
    createConversation(input: $input) {
        conversationEdge { cursor node { id } }
        conversation { id kind title topic historyVisibility createdBy { id } } } }";
const SEE: &str = "query($id: ID!) { conversation(id: $id) {
    id kind title displayTitle participantCount
    participants { nodes { id role user { username } addedBy { username } } }
    viewerMembership { id canSend canUpdate canDelete canLeave isPinned isArchived mutedUntil
        notificationLevel participant { role conversation { id } } } } }";
const LIST: &str = "query($filter: ConversationFilter, $first: Int, $after: String) {
    viewer { conversations(filter: $filter, first: $first, after: $after) {
        nodes { id displayTitle } pageInfo { hasNextPage endCursor } } } }";

both!(
    ann_and_bob_have_one_direct_conversation,
    both_sides_open_at_once_and_get_the_same,
    unnamed_conversations_show_the_names_of_the_others,
    the_viewers_list_is_by_activity_and_pages,
    the_list_is_narrowed_by_kind_and_words,
    strangers_see_nothing,
    all_that_is_wrong_with_a_group_is_told_at_once,
);

async fn open(person: &Person, others: &[&Person]) -> Value {
    let ids: Vec<_> = others.iter().map(|other| &other.id).collect();
    let input = json!({ "input": { "userIds": ids } });
    let mut data = person.asks(OPEN, input).await;
    data["openDirectConversation"].take()
}

async fn create(person: &Person, title: Option<&str>, others: &[&Person]) -> String {
    let ids: Vec<_> = others.iter().map(|other| &other.id).collect();
    let input = json!({ "input": { "title": title, "participantIds": ids } });
    let data = person.asks(CREATE, input).await;
    text(&data["createConversation"]["conversation"]["id"])
}

async fn ann_and_bob_have_one_direct_conversation(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let first = open(&ann, &[&bob]).await;
    assert_eq!(first["wasCreated"], true);
    let again = open(&bob, &[&ann, &bob, &ann]).await;
    assert_eq!(again["wasCreated"], false);
    assert_eq!(again["conversation"], first["conversation"]);
    let id = &first["conversation"]["id"];
    let seen = bob.asks(SEE, json!({ "id": id })).await;
    assert_eq!(seen["conversation"]["kind"], "DIRECT");
    assert_eq!(seen["conversation"]["displayTitle"], "Ann");
    assert_eq!(seen["conversation"]["participantCount"], 2);
    let rights = &seen["conversation"]["viewerMembership"];
    assert_eq!(rights["participant"]["conversation"]["id"], *id);
    for (right, has) in [
        ("canSend", true),
        ("canUpdate", false),
        ("canDelete", false),
        ("canLeave", false),
    ] {
        assert_eq!(rights[right], has, "{right}");
    }
    let query = "query($id: ID!) { conversation(id: $id) { participants { nodes { user {
        isViewer viewerCanMessage viewerConversation { id } } } } } }";
    let seen = ann.asks(query, json!({ "id": id })).await;
    let people = &seen["conversation"]["participants"]["nodes"];
    assert_eq!(
        *people,
        json!([
            { "user": { "isViewer": true, "viewerCanMessage": false, "viewerConversation": null } },
            { "user": { "isViewer": false, "viewerCanMessage": true,
                "viewerConversation": { "id": id } } },
        ])
    );
}

async fn both_sides_open_at_once_and_get_the_same(app: TestApp) {
    let ann = app.person("Ann").await;
    for round in 0..20 {
        let other = app.person(&format!("Other{round}")).await;
        let (with_other, with_ann) = ([&other], [&ann]);
        let (one, two) = tokio::join!(open(&ann, &with_other), open(&other, &with_ann));
        assert_eq!(one["conversation"], two["conversation"]);
        let created = [&one, &two]
            .iter()
            .filter(|side| side["wasCreated"] == true)
            .count();
        assert_eq!(created, 1, "{one} {two}");
    }
}

async fn unnamed_conversations_show_the_names_of_the_others(app: TestApp) {
    let ann = app.person("Ann").await;
    let title = |id: String| {
        let ann = &ann;
        async move {
            let seen = ann.asks(SEE, json!({ "id": id })).await;
            text(&seen["conversation"]["displayTitle"])
        }
    };
    let mut others = vec![];
    for (name, shown) in [
        ("Gus", "Gus"),
        ("fay", "fay, Gus"),
        ("Eve", "Eve, fay, Gus"),
        ("Dan", "Dan, Eve, fay, Gus"),
        ("Cid", "Cid, Dan, Eve, fay, Gus"),
        ("Bob", "Bob, Cid, Dan, Eve, fay and 1 more"),
    ] {
        others.push(app.person(name).await);
        let people: Vec<_> = others.iter().collect();
        assert_eq!(title(create(&ann, None, &people).await).await, shown);
    }
    assert_eq!(title(create(&ann, None, &[]).await).await, "Ann");
    assert_eq!(title(create(&ann, Some(" Loom "), &[]).await).await, "Loom");
}

async fn the_viewers_list_is_by_activity_and_pages(app: TestApp) {
    let ann = app.person("Ann").await;
    let mut made = vec![];
    for number in 0..5 {
        made.push(create(&ann, Some(&format!("Group {number}")), &[]).await);
        // Two of them at the same instant: the id decides.
        if number != 2 {
            app.app.clock.advance(chrono::TimeDelta::seconds(1));
        }
    }
    let mut seen = vec![];
    let mut after = Value::Null;
    loop {
        let page = ann.asks(LIST, json!({ "first": 2, "after": after })).await;
        let page = &page["viewer"]["conversations"];
        seen.extend(
            page["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| text(&node["id"])),
        );
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    made.reverse();
    assert_eq!(seen, made);
}

async fn the_list_is_narrowed_by_kind_and_words(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob_100%").await);
    create(&ann, Some("Weaving"), &[]).await;
    app.app.clock.advance(chrono::TimeDelta::seconds(1));
    open(&ann, &[&bob]).await;
    for (filter, titles) in [
        (json!(null), vec!["Bob_100%", "Weaving"]),
        (json!({ "kind": "GROUP" }), vec!["Weaving"]),
        (json!({ "kind": "DIRECT" }), vec!["Bob_100%"]),
        (json!({ "text": "WEAV" }), vec!["Weaving"]),
        (json!({ "text": "b_1" }), vec!["Bob_100%"]),
        (json!({ "text": "0%" }), vec!["Bob_100%"]),
        (json!({ "text": "W%g" }), vec![]),
        (json!({ "text": "W_a" }), vec![]),
        (json!({ "text": "!" }), vec![]),
        (json!({ "text": "weav\u{0}ing" }), vec!["Weaving"]),
        // The viewer's own name is in every conversation and finds none of them.
        (json!({ "text": "ann" }), vec![]),
        (json!({ "isArchived": true }), vec![]),
        (json!({ "isArchived": null }), vec!["Bob_100%", "Weaving"]),
    ] {
        let seen = ann.asks(LIST, json!({ "filter": filter })).await;
        let nodes = seen["viewer"]["conversations"]["nodes"]
            .as_array()
            .unwrap()
            .clone();
        let shown: Vec<_> = nodes
            .iter()
            .map(|node| text(&node["displayTitle"]))
            .collect();
        assert_eq!(shown, titles, "{filter}");
    }
}

async fn strangers_see_nothing(app: TestApp) {
    let (ann, bob, eve) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Eve").await,
    );
    let id = create(&ann, Some("Loom"), &[&bob]).await;
    let hidden = eve.sends(SEE, json!({ "id": id })).await;
    let missing = eve
        .sends(SEE, json!({ "id": "cnv_01h2xcejqtf2nbrexx3vqjhp41" }))
        .await;
    assert_eq!(hidden.to_string(), missing.to_string());
    assert_eq!(hidden, json!({ "data": { "conversation": null } }));
    let list = eve.asks(LIST, Value::Null).await;
    assert_eq!(list["viewer"]["conversations"]["nodes"], json!([]));
    app.nobody()
        .is_refused("UNAUTHENTICATED", SEE, json!({ "id": id }))
        .await;
}

async fn all_that_is_wrong_with_a_group_is_told_at_once(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let input = json!({
        "title": " ",
        "topic": "x".repeat(501),
        "participantIds": [bob.id, bob.id, "usr_01h2xcejqtf2nbrexx3vqjhp41", "nonsense"],
    });
    let error = ann
        .is_refused("BAD_USER_INPUT", CREATE, json!({ "input": input }))
        .await;
    let problems = error["extensions"]["problems"].as_array().unwrap().clone();
    let told: Vec<_> = problems
        .iter()
        .map(|problem| (&problem["path"], &problem["code"]))
        .collect();
    assert_eq!(
        json!(told),
        json!([
            [["input", "title"], "TOO_SHORT"],
            [["input", "topic"], "TOO_LONG"],
            [["input", "participantIds", "2"], "NOT_FOUND"],
            [["input", "participantIds", "3"], "NOT_FOUND"],
        ])
    );
    for (ids, code) in [(vec![], "TOO_FEW"), (vec![&ann.id], "TOO_FEW")] {
        let input = json!({ "input": { "userIds": ids } });
        let error = ann.is_refused("BAD_USER_INPUT", OPEN, input).await;
        assert_eq!(error["extensions"]["problems"][0]["code"], code);
    }
}
