//! Conversations: create, name, list and delete them.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both, event_rows,
    groups::Groups,
    messaging::Messaging,
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
    both_sides_open_concurrently_and_get_the_same_conversation,
    unnamed_conversations_show_the_names_of_the_others,
    the_viewers_list_is_by_activity_and_pages,
    the_list_is_narrowed_by_kind_and_words,
    strangers_see_nothing,
    all_problems_of_a_group_are_reported_together,
    a_group_is_renamed_and_an_unchanged_title_is_no_event,
    a_deleted_group_leaves_nothing,
    a_long_group_disappears_immediately_and_is_erased_in_batches,
    settings_are_the_viewers_own,
    an_archived_conversation_reappears_with_a_new_message,
    a_hidden_conversation_reappears_when_someone_writes,
);

async fn open(person: &Person, others: &[&Person]) -> Value {
    let ids: Vec<_> = others.iter().map(|other| &other.id).collect();
    let input = json!({ "input": { "userIds": ids } });
    let mut data = person.execute(OPEN, input).await;
    data["openDirectConversation"].take()
}

async fn ann_and_bob_have_one_direct_conversation(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let first = open(&ann, &[&bob]).await;
    assert_eq!(first["wasCreated"], true);
    let again = open(&bob, &[&ann, &bob, &ann]).await;
    assert_eq!(again["wasCreated"], false);
    assert_eq!(again["conversation"], first["conversation"]);
    let id = &first["conversation"]["id"];
    let seen = bob.execute(SEE, json!({ "id": id })).await;
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
    let seen = ann.execute(query, json!({ "id": id })).await;
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

async fn both_sides_open_concurrently_and_get_the_same_conversation(app: TestApp) {
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
            let seen = ann.execute(SEE, json!({ "id": id })).await;
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
        assert_eq!(title(ann.creates_group(None, &people).await).await, shown);
    }
    assert_eq!(title(ann.creates_group(None, &[]).await).await, "Ann");
    assert_eq!(
        title(ann.creates_group(Some(" Loom "), &[]).await).await,
        "Loom"
    );
}

async fn the_viewers_list_is_by_activity_and_pages(app: TestApp) {
    let ann = app.person("Ann").await;
    let mut made = vec![];
    for number in 0..5 {
        made.push(
            ann.creates_group(Some(&format!("Group {number}")), &[])
                .await,
        );
        // Two of them have the same time, so their ids determine the order.
        if number != 2 {
            app.app.clock.advance(chrono::TimeDelta::seconds(1));
        }
    }
    let list = ann
        .nodes(LIST, json!({ "first": 2 }), "/viewer/conversations")
        .await;
    let seen: Vec<_> = list.iter().map(|node| text(&node["id"])).collect();
    made.reverse();
    assert_eq!(seen, made);
}

async fn the_list_is_narrowed_by_kind_and_words(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob_100x").await);
    ann.creates_group(Some("Ärmel"), &[]).await;
    app.app.clock.advance(chrono::TimeDelta::seconds(1));
    ann.creates_group(Some("Weaving"), &[]).await;
    app.app.clock.advance(chrono::TimeDelta::seconds(1));
    open(&ann, &[&bob]).await;
    for (filter, titles) in [
        (json!(null), vec!["Bob_100x", "Weaving", "Ärmel"]),
        (json!({ "kind": "GROUP" }), vec!["Weaving", "Ärmel"]),
        (json!({ "kind": "DIRECT" }), vec!["Bob_100x"]),
        (json!({ "text": "WEAV" }), vec!["Weaving"]),
        (json!({ "text": "ÄRMEL" }), vec!["Ärmel"]),
        (json!({ "text": "a\u{308}rm" }), vec!["Ärmel"]),
        (json!({ "text": "b_1" }), vec!["Bob_100x"]),
        (json!({ "text": "0%" }), vec![]),
        (json!({ "text": "W%g" }), vec![]),
        (json!({ "text": "W_a" }), vec![]),
        (json!({ "text": "!" }), vec![]),
        (json!({ "text": "weav\u{0}ing" }), vec!["Weaving"]),
        // A search does not match the viewer's own name, which every conversation contains.
        (json!({ "text": "ann" }), vec![]),
        (json!({ "text": " " }), vec!["Bob_100x", "Weaving", "Ärmel"]),
        (json!({ "isArchived": true }), vec![]),
        (
            json!({ "isArchived": null }),
            vec!["Bob_100x", "Weaving", "Ärmel"],
        ),
    ] {
        let seen = ann.execute(LIST, json!({ "filter": filter })).await;
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
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let hidden = eve.request(SEE, json!({ "id": id })).await;
    let missing = eve
        .request(SEE, json!({ "id": "cnv_01h2xcejqtf2nbrexx3vqjhp41" }))
        .await;
    assert_eq!(hidden.to_string(), missing.to_string());
    assert_eq!(hidden, json!({ "data": { "conversation": null } }));
    let list = eve.execute(LIST, Value::Null).await;
    assert_eq!(list["viewer"]["conversations"]["nodes"], json!([]));
    app.anonymous()
        .expect_error("UNAUTHENTICATED", SEE, json!({ "id": id }))
        .await;
}

async fn all_problems_of_a_group_are_reported_together(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let input = json!({
        "title": " ",
        "topic": "x".repeat(501),
        "participantIds": [bob.id, bob.id, "usr_01h2xcejqtf2nbrexx3vqjhp41", "nonsense"],
    });
    let error = ann
        .expect_error("BAD_USER_INPUT", CREATE, json!({ "input": input }))
        .await;
    let problems = error["extensions"]["problems"].as_array().unwrap().clone();
    let reported: Vec<_> = problems
        .iter()
        .map(|problem| (&problem["path"], &problem["code"]))
        .collect();
    assert_eq!(
        json!(reported),
        json!([
            [["input", "title"], "TOO_SHORT"],
            [["input", "topic"], "TOO_LONG"],
            [["input", "participantIds", "2"], "NOT_FOUND"],
            [["input", "participantIds", "3"], "NOT_FOUND"],
        ])
    );
    for (ids, code) in [(vec![], "TOO_FEW"), (vec![&ann.id], "TOO_FEW")] {
        let input = json!({ "input": { "userIds": ids } });
        let error = ann.expect_error("BAD_USER_INPUT", OPEN, input).await;
        assert_eq!(error["extensions"]["problems"][0]["code"], code);
    }
}

const UPDATE: &str = "mutation($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { title topic historyVisibility } } }";
const SETTINGS: &str = "mutation($input: UpdateConversationSettingsInput!) {
    updateConversationSettings(input: $input) { conversation { viewerMembership {
        notificationLevel mutedUntil isPinned isArchived } } } }";

async fn a_group_is_renamed_and_an_unchanged_title_is_no_event(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let both = json!({ "conversationId": id, "title": " Weft ", "topic": "One, two" });
    let history = json!({ "conversationId": id, "historyVisibility": "FROM_JOINING" });
    let cleared = json!({ "conversationId": id, "title": null, "topic": " " });
    for (input, after) in [
        (&both, json!(["Weft", "One, two", "FROM_START"])),
        (&both, json!(["Weft", "One, two", "FROM_START"])),
        (&history, json!(["Weft", "One, two", "FROM_JOINING"])),
        (&cleared, json!([null, null, "FROM_JOINING"])),
    ] {
        let data = ann.execute(UPDATE, json!({ "input": input })).await;
        let now = &data["updateConversation"]["conversation"];
        let now = json!([now["title"], now["topic"], now["historyVisibility"]]);
        assert_eq!(now, after);
    }
    let reported = event_rows::notices(&app, &id).await;
    let reported: Vec<_> = reported
        .iter()
        .map(|reported| (&reported["type"], &reported["value"]))
        .collect();
    assert_eq!(
        json!(reported),
        json!([
            ["CREATED", "Loom"],
            ["TITLE_CHANGED", "Weft"],
            ["TOPIC_CHANGED", "One, two"],
            ["TITLE_CHANGED", null],
            ["TOPIC_CHANGED", null],
        ])
    );
    assert_eq!(
        event_rows::events(&app, &id).await,
        [
            "MessageSent",
            "MessageSent",
            "MessageSent",
            "ConversationChanged",
            "ConversationChanged",
            "MessageSent",
            "MessageSent",
            "ConversationChanged",
        ]
    );
    let bad = json!({ "conversationId": id, "title": "two\nlines", "topic": "\u{0}" });
    let error = ann
        .expect_error("BAD_USER_INPUT", UPDATE, json!({ "input": bad }))
        .await;
    assert_eq!(error["extensions"]["problems"].as_array().unwrap().len(), 2);
    bob.expect_error("FORBIDDEN", UPDATE, json!({ "input": both }))
        .await;
    let direct = text(&open(&ann, &[&bob]).await["conversation"]["id"]);
    let title = json!({ "conversationId": direct, "title": "Us" });
    ann.expect_error("FORBIDDEN", UPDATE, json!({ "input": title }))
        .await;
    let eve = app.person("Eve").await;
    eve.expect_error("NOT_FOUND", UPDATE, json!({ "input": both }))
        .await;
}

async fn a_deleted_group_leaves_nothing(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let delete = "mutation($input: DeleteConversationInput!) { deleteConversation(input: $input) {
        deletedConversationId } }";
    let input = json!({ "input": { "conversationId": id } });
    bob.expect_error("FORBIDDEN", delete, input.clone()).await;
    let data = ann.execute(delete, input.clone()).await;
    assert_eq!(
        data["deleteConversation"]["deletedConversationId"],
        json!(id)
    );
    ann.expect_error("NOT_FOUND", delete, input).await;
    for person in [&ann, &bob] {
        let seen = person.execute(SEE, json!({ "id": id })).await;
        assert_eq!(seen["conversation"], Value::Null);
        let received = event_rows::events(&app, &person.id).await;
        assert_eq!(received, ["ConversationJoined", "ConversationLeft"]);
    }
    assert!(event_rows::notices(&app, &id).await.is_empty());
    // A direct conversation stays between its two users.
    let direct = open(&ann, &[&bob]).await;
    let input = json!({ "input": { "conversationId": direct["conversation"]["id"] } });
    ann.expect_error("FORBIDDEN", delete, input).await;
}

async fn settings_are_the_viewers_own(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = text(&open(&ann, &[&bob]).await["conversation"]["id"]);
    let change = |values: Value| {
        let (ann, id) = (&ann, &id);
        async move {
            let mut input = json!({ "conversationId": id });
            input
                .as_object_mut()
                .unwrap()
                .extend(values.as_object().unwrap().clone());
            let mut data = ann.execute(SETTINGS, json!({ "input": input })).await;
            data["updateConversationSettings"]["conversation"]["viewerMembership"].take()
        }
    };
    let start = json!({ "notificationLevel": "ALL", "mutedUntil": null, "isPinned": false,
        "isArchived": false });
    assert_eq!(change(json!({})).await, start);
    let until = app.app.clock.now() + chrono::TimeDelta::minutes(1);
    let until = until.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let muted = change(json!({ "mutedUntil": until, "isPinned": true })).await;
    assert_eq!(muted["mutedUntil"], json!(until));
    assert_eq!(muted["isPinned"], true);
    let level = change(json!({ "notificationLevel": "MENTIONS" })).await;
    assert_eq!(level["notificationLevel"], "MENTIONS");
    assert_eq!(level["mutedUntil"], json!(until), "omitted fields stay");
    app.app.clock.advance(chrono::TimeDelta::minutes(2));
    assert_eq!(
        change(json!({})).await["mutedUntil"],
        Value::Null,
        "it is over"
    );
    assert_eq!(
        change(json!({ "mutedUntil": null })).await["mutedUntil"],
        Value::Null
    );
    // Joining and four changes; a change to the present value is none.
    assert_eq!(
        event_rows::events(&app, &ann.id).await,
        [
            "ConversationJoined",
            "ConversationChanged",
            "ConversationChanged",
            "ConversationChanged"
        ]
    );
    let far = json!({ "conversationId": id, "mutedUntil": "+12026-01-01T00:00:00Z" });
    ann.expect_error("BAD_USER_INPUT", SETTINGS, json!({ "input": far }))
        .await;
    let seen = bob.execute(SEE, json!({ "id": id })).await;
    assert_eq!(seen["conversation"]["viewerMembership"]["isPinned"], false);
    assert_eq!(
        event_rows::events(&app, &bob.id).await,
        ["ConversationJoined"]
    );
    let eve = app.person("Eve").await;
    let input = json!({ "input": { "conversationId": id, "isPinned": true } });
    eve.expect_error("NOT_FOUND", SETTINGS, input).await;
}

async fn an_archived_conversation_reappears_with_a_new_message(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let input = json!({ "conversationId": id, "isArchived": true });
    let data = ann.execute(SETTINGS, json!({ "input": input })).await;
    let membership = &data["updateConversationSettings"]["conversation"]["viewerMembership"];
    assert_eq!(membership["isArchived"], true);
    let listed = |filter: Value| {
        let ann = &ann;
        async move {
            let data = ann.execute(LIST, json!({ "filter": filter })).await;
            data["viewer"]["conversations"]["nodes"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    assert_eq!(listed(json!({})).await, 0);
    assert_eq!(listed(json!({ "isArchived": true })).await, 1);
    ann.makes(&id, &bob, "OBSERVER").await;
    assert_eq!(listed(json!({})).await, 1);
    assert_eq!(listed(json!({ "isArchived": true })).await, 0);
}

async fn a_hidden_conversation_reappears_when_someone_writes(app: TestApp) {
    const HIDE: &str = "mutation($input: UpdateConversationSettingsInput!) {
        updateConversationSettings(input: $input) { conversation { viewerMembership { isHidden } } } }";
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (direct, group) = (
        ann.direct(&bob).await,
        ann.creates_group(Some("Loom"), &[&bob]).await,
    );
    let hide = async |is_hidden: bool| {
        let input = json!({ "conversationId": direct, "isHidden": is_hidden });
        let data = ann.execute(HIDE, json!({ "input": input })).await;
        let conversation = &data["updateConversationSettings"]["conversation"];
        assert_eq!(conversation["viewerMembership"]["isHidden"], is_hidden);
    };
    let listed = async |who: &Person| {
        let mut lists = vec![];
        for filter in [
            json!({}),
            json!({ "isArchived": null }),
            json!({ "kind": "DIRECT" }),
            json!({ "text": if who.id == ann.id { "bob" } else { "ann" } }),
        ] {
            let data = who.execute(LIST, json!({ "filter": filter })).await;
            let nodes = data["viewer"]["conversations"]["nodes"].as_array();
            lists.push(
                nodes
                    .unwrap()
                    .iter()
                    .any(|node| node["id"] == json!(direct)),
            );
        }
        assert!(
            lists.iter().all(|is_listed| *is_listed == lists[0]),
            "{lists:?}"
        );
        lists[0]
    };
    assert!(listed(&ann).await);
    hide(true).await;
    hide(true).await;
    assert!(!listed(&ann).await);
    assert!(listed(&bob).await, "it is hidden from Ann alone");
    let seen = ann.execute(SEE, json!({ "id": direct })).await;
    assert_eq!(
        seen["conversation"]["id"],
        json!(direct),
        "it is still there"
    );
    // Opening it again finds it.
    assert_eq!(ann.direct(&bob).await, direct);
    hide(false).await;
    assert!(listed(&ann).await);
    hide(true).await;
    bob.says(&direct, "Are you there?").await;
    assert!(listed(&ann).await);
    let events = event_rows::events(&app, &ann.id).await;
    let changes = events.iter().filter(|kind| *kind == "ConversationChanged");
    assert_eq!(changes.count(), 3, "hiding it again changes nothing");
    let of_group = json!({ "conversationId": group, "isHidden": true });
    let error = ann
        .expect_error("BAD_USER_INPUT", HIDE, json!({ "input": of_group }))
        .await;
    assert_eq!(
        error["extensions"]["problems"][0]["path"],
        json!(["input", "isHidden"])
    );
    let shown = json!({ "input": { "conversationId": group, "isHidden": false } });
    ann.execute(HIDE, shown).await;
}

async fn a_long_group_disappears_immediately_and_is_erased_in_batches(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = ann.creates_group(Some("Loom"), &[]).await;
    app.db_history(&id, &ann.id, 2_500).await;
    ann.adds(&id, &bob, "MEMBER").await;
    let delete = "mutation($input: DeleteConversationInput!) { deleteConversation(input: $input) {
        deletedConversationId } }";
    let input = json!({ "input": { "conversationId": id } });
    ann.execute(delete, input).await;
    let gone = bob.execute(
        "query($id: ID!) { conversation(id: $id) { id } }",
        json!({ "id": id }),
    );
    assert_eq!(gone.await["conversation"], Value::Null);
    for table in ["message", "thread", "conversation"] {
        app.db_reaches(table, 0).await;
    }
}
