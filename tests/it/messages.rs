//! Messages: send, edit and delete them, and read them in the timeline.

use aws_lc_rs::digest;
use chrono::TimeDelta;
use heddle::db;
use sea_orm::{ConnectionTrait, Database, TransactionTrait};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp, both, dump::dump, groups::Groups, messaging::Messaging, person::PASSWORD,
};

both!(
    bob_reads_what_ann_sent,
    sending_twice_sends_once,
    a_key_keeps_its_content_after_the_deletion,
    editing_keeps_history_and_never_overwrites_unseen_edits,
    deleting_erases_the_text_and_keeps_the_tree,
    a_timeline_opens_anywhere_and_pages_both_ways,
    a_timeline_opens_at_any_time,
    strangers_see_no_message,
    bad_messages_return_all_their_problems,
    expired_sessions_refuse_renewal,
    mentions_are_found,
    fifty_users_send_concurrently,
    a_request_that_waits_too_long_for_the_database_may_be_retried
);

const TIMELINE: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String,
        $around: TimelineAnchor, $includeReplies: Boolean! = false) {
    conversation(id: $id) { messages(first: $first, after: $after, last: $last, before: $before,
        around: $around, includeReplies: $includeReplies) {
        nodes { body } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

async fn bob_reads_what_ann_sent(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let id = ann.says(&conversation, "Hello **Bob**").await;
    let seen = bob
        .execute(
            "query($id: ID!) { message(id: $id) { id body bodyHtml kind priority depth sequence
                sender { username } receiver { username } conversation { id }
                viewerCanEdit viewerCanDelete viewerCanReply editedAt thread { id } } }",
            json!({ "id": id }),
        )
        .await;
    let message = &seen["message"];
    assert_eq!(message["body"], "Hello **Bob**");
    assert_eq!(
        message["bodyHtml"].as_str().unwrap().trim(),
        "<p>Hello <strong>Bob</strong></p>"
    );
    assert_eq!(message["sender"]["username"], "ann");
    assert_eq!(message["receiver"]["username"], "bob");
    assert_eq!(message["conversation"]["id"], json!(conversation));
    assert_eq!(message["viewerCanEdit"], false);
    assert_eq!(message["viewerCanReply"], true);
    assert_eq!(message["thread"], Value::Null);
}

async fn sending_twice_sends_once(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let input = json!({ "conversationId": conversation, "body": "once", "clientMessageId": "k1" });
    let send = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
        message { id clientMessageId } wasDuplicate messageEdge { cursor } replyEdge { cursor } } }";
    // Twenty concurrent requests, like an impatient client with a bad connection.
    let responses = futures_util::future::join_all(
        (0..20).map(|_| ann.execute(send, json!({ "input": input }))),
    )
    .await;
    let ids: Vec<_> = responses
        .iter()
        .map(|data| &data["sendMessage"]["message"]["id"])
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{responses:#?}");
    let first = responses
        .iter()
        .filter(|data| data["sendMessage"]["wasDuplicate"] == false);
    assert_eq!(first.count(), 1);
    assert_eq!(
        responses[0]["sendMessage"]["message"]["clientMessageId"],
        "k1"
    );
    let other = json!({ "conversationId": conversation, "body": "other", "clientMessageId": "k1" });
    ann.expect_error("CONFLICT", send, json!({ "input": other }))
        .await;
    // Bob has his own keys; a key of Ann is not visible to him.
    let his = bob.execute(send, json!({ "input": other })).await;
    assert_eq!(his["sendMessage"]["wasDuplicate"], false);
    let seen = bob
        .execute(
            "query($id: ID!) { message(id: $id) { clientMessageId } }",
            json!({ "id": ids[0] }),
        )
        .await;
    assert_eq!(seen["message"]["clientMessageId"], Value::Null);
}

async fn a_key_keeps_its_content_after_the_deletion(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = bob.creates_group(None, &[&ann]).await;
    let send = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
        message { id body } wasDuplicate } }";
    let input = |body: &str, parent: Option<&str>| {
        json!({ "input": { "conversationId": conversation, "body": body, "parentId": parent,
            "clientMessageId": "k1" } })
    };
    let first = ann.execute(send, input("once", None)).await;
    let id = first["sendMessage"]["message"]["id"].as_str().unwrap();
    let reply = bob.replies(&conversation, id, "a reply").await;
    ann.deletes(id).await;
    let again = ann.execute(send, input("once", None)).await;
    assert_eq!(
        again["sendMessage"],
        json!({ "message": { "id": id, "body": null }, "wasDuplicate": true })
    );
    for other in [input("other", None), input("once", Some(&reply))] {
        ann.expect_error("CONFLICT", send, other).await;
    }
    // The hash of the deleted text, which a copy of the database would allow to guess, is gone.
    let hash = "SELECT COUNT(*) FROM message WHERE deleted_at IS NOT NULL AND content_hash = ?";
    let mut plain = digest::Context::new(&digest::SHA256);
    for part in [&[0; 16][..], b"N", b"once"] {
        plain.update(part);
    }
    let plain = plain.finish().as_ref().to_vec();
    let found: Option<i64> = db::fetch_one(app.app.db.read(), hash, [plain.into()])
        .await
        .unwrap();
    assert_eq!(found, Some(0));
    let kept = "message WHERE deleted_at IS NOT NULL AND content_hash IS NOT NULL";
    assert_eq!(app.db_count(kept).await, 1);
    let delete = "mutation($input: DeleteAccountInput!) {
        deleteAccount(input: $input) { deletedUserId } }";
    let input = json!({ "confirmUsername": "ann", "password": PASSWORD, "messages": "ANONYMIZE" });
    ann.execute(delete, json!({ "input": input })).await;
    assert_eq!(app.db_count(kept).await, 0);
}

async fn editing_keeps_history_and_never_overwrites_unseen_edits(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let id = ann.says(&conversation, "frist").await;
    let edit = "mutation($input: EditMessageInput!) { editMessage(input: $input) {
        message { body editedAt revisions { nodes { body reason editor { username } replacedAt } } } } }";
    let input =
        json!({ "messageId": id, "body": "first", "reason": "typo", "expectedEditedAt": null });
    let data = ann.execute(edit, json!({ "input": input })).await;
    let message = &data["editMessage"]["message"];
    assert_eq!(message["body"], "first");
    let revision = &message["revisions"]["nodes"][0];
    assert_eq!(revision["body"], "frist");
    assert_eq!(revision["reason"], "typo");
    assert_eq!(revision["editor"]["username"], "ann");
    assert_eq!(revision["replacedAt"], message["editedAt"]);
    // Repeating the input names an outdated version.
    ann.expect_error("CONFLICT", edit, json!({ "input": input }))
        .await;
    let again = json!({ "messageId": id, "body": "1st", "expectedEditedAt": message["editedAt"] });
    let data = ann.execute(edit, json!({ "input": again })).await;
    let revisions = &data["editMessage"]["message"]["revisions"]["nodes"];
    assert_eq!(revisions[0]["body"], "first");
    assert_eq!(revisions[1]["body"], "frist");
    // Without a version, an edit overwrites the text. The present text changes nothing.
    let same = json!({ "messageId": id, "body": "1st" });
    let data = ann.execute(edit, json!({ "input": same })).await;
    assert_eq!(
        data["editMessage"]["message"]["revisions"]["nodes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    bob.expect_error("FORBIDDEN", edit, json!({ "input": same }))
        .await;
}

async fn deleting_erases_the_text_and_keeps_the_tree(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let root = ann.says(&conversation, "canary one").await;
    ann.edits(&root, "canary two").await;
    let reply = bob.replies(&conversation, &root, "canary three").await;
    let leaf = ann.replies(&conversation, &reply, "canary four").await;
    let delete = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) {
        deletedMessageId message { id body deletedAt replyCount descendantCount
            revisions { nodes { body } } } } }";
    bob.expect_error(
        "FORBIDDEN",
        delete,
        json!({ "input": { "messageId": root } }),
    )
    .await;
    let data = ann
        .execute(delete, json!({ "input": { "messageId": root } }))
        .await;
    let marker = &data["deleteMessage"]["message"];
    assert_eq!(marker["body"], Value::Null);
    assert_eq!(marker["descendantCount"], 2);
    assert_eq!(marker["revisions"]["nodes"], json!([]));
    let data = bob
        .execute(delete, json!({ "input": { "messageId": reply } }))
        .await;
    assert_eq!(data["deleteMessage"]["message"]["replyCount"], 1);
    let data = ann
        .execute(delete, json!({ "input": { "messageId": leaf } }))
        .await;
    assert_eq!(data["deleteMessage"]["message"], Value::Null);
    // The markers have no replies any more, so they are hidden too.
    for id in [&root, &reply, &leaf] {
        let seen = ann
            .execute(
                "query($id: ID!) { message(id: $id) { id } }",
                json!({ "id": id }),
            )
            .await;
        assert_eq!(seen["message"], Value::Null);
    }
    let edit =
        "mutation($input: EditMessageInput!) { editMessage(input: $input) { message { id } } }";
    let late = json!({ "input": { "messageId": root, "body": "revived" } });
    ann.expect_error("NOT_FOUND", edit, late).await;
    ann.expect_error(
        "NOT_FOUND",
        delete,
        json!({ "input": { "messageId": root } }),
    )
    .await;
    assert!(!dump(&app.app.db).await.contains("canary"));
}

async fn a_timeline_opens_anywhere_and_pages_both_ways(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut ids = vec![];
    for number in 1..=9 {
        ids.push(ann.says(&conversation, &number.to_string()).await);
    }
    let reply = bob.replies(&conversation, &ids[2], "3a").await;
    let page = async |mut variables: Value| {
        variables["id"] = json!(conversation);
        let data = ann.execute(TIMELINE, variables).await;
        let page = data["conversation"]["messages"].clone();
        let bodies: Vec<_> = page["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["body"].clone())
            .collect();
        let text = bodies
            .iter()
            .map(|body| body.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ");
        (text, page["pageInfo"].clone())
    };
    let (newest, info) = page(json!({ "last": 3 })).await;
    assert_eq!(newest, "7 8 9");
    assert_eq!(
        (&info["hasNextPage"], &info["hasPreviousPage"]),
        (&json!(false), &json!(true))
    );
    ann.says(&conversation, "10").await;
    let (earlier, _) = page(json!({ "last": 3, "before": info["startCursor"] })).await;
    assert_eq!(earlier, "4 5 6");
    let (later, _) = page(json!({ "first": 3, "after": info["endCursor"] })).await;
    assert_eq!(later, "10");
    let (around, info) =
        page(json!({ "around": { "messageId": reply }, "last": 1, "first": 2 })).await;
    assert_eq!(around, "2 3 4");
    assert_eq!(
        (&info["hasNextPage"], &info["hasPreviousPage"]),
        (&json!(true), &json!(true))
    );
    let (start, _) = page(json!({ "around": { "place": "START" }, "first": 2 })).await;
    assert_eq!(start, "1 2");
    let (all, _) = page(json!({ "last": 2, "includeReplies": true })).await;
    assert_eq!(all, "3a 10");
    let (unread, _) = page(json!({ "around": { "place": "FIRST_UNREAD" }, "first": 2 })).await;
    assert_eq!(unread, "10", "Ann wrote every root herself: the newest");
    let (future, _) =
        page(json!({ "around": { "time": "2999-01-01T00:00:00Z" }, "last": 2 })).await;
    assert_eq!(future, "9 10");
    for bad in [
        json!({ "first": 0 }),
        json!({ "last": 101 }),
        json!({ "first": 1, "last": 1 }),
        json!({ "after": "nonsense" }),
    ] {
        let mut variables = bad;
        variables["id"] = json!(conversation);
        ann.expect_error("BAD_USER_INPUT", TIMELINE, variables)
            .await;
    }
}

async fn strangers_see_no_message(app: TestApp) {
    let (ann, bob, eve) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Eve").await,
    );
    let conversation = ann.direct(&bob).await;
    let id = ann.says(&conversation, "secret").await;
    let missing = "msg_01h2xcejqtf2nbrexx3vqjhp41";
    let read = "query($id: ID!) { message(id: $id) { body } node(id: $id) { id } }";
    let hidden = eve.request(read, json!({ "id": id })).await;
    assert_eq!(hidden, eve.request(read, json!({ "id": missing })).await);
    let reply = |parent: &str| {
        let input = json!({ "conversationId": conversation, "parentId": parent, "body": "x" });
        json!({ "input": input })
    };
    let send =
        "mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
    let hidden = eve.expect_error("NOT_FOUND", send, reply(&id)).await;
    assert_eq!(
        hidden,
        eve.expect_error("NOT_FOUND", send, reply(missing)).await
    );
    for mutation in [
        "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }",
        "mutation($id: ID!) { editMessage(input: { messageId: $id, body: \"x\" }) { message { id } } }",
    ] {
        let hidden = eve
            .expect_error("NOT_FOUND", mutation, json!({ "id": id }))
            .await;
        assert_eq!(
            hidden,
            eve.expect_error("NOT_FOUND", mutation, json!({ "id": missing }))
                .await
        );
    }
    app.anonymous()
        .expect_error("UNAUTHENTICATED", read, json!({ "id": id }))
        .await;
}

async fn bad_messages_return_all_their_problems(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let send =
        "mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
    let bad =
        json!({ "conversationId": conversation, "body": " \n", "clientMessageId": "k".repeat(65) });
    let error = ann
        .expect_error("BAD_USER_INPUT", send, json!({ "input": bad }))
        .await;
    let problems = error["extensions"]["problems"].as_array().unwrap();
    assert_eq!(problems[0]["path"], json!(["input", "body"]));
    assert_eq!(problems[1]["path"], json!(["input", "clientMessageId"]));
    for body in ["x".repeat(10_001), "null\0byte".to_owned()] {
        let bad = json!({ "conversationId": conversation, "body": body });
        ann.expect_error("BAD_USER_INPUT", send, json!({ "input": bad }))
            .await;
    }
    let parent = json!({ "conversationId": conversation, "body": "x", "parentId": "nonsense" });
    let error = ann
        .expect_error("BAD_USER_INPUT", send, json!({ "input": parent }))
        .await;
    assert_eq!(
        error["extensions"]["problems"][0]["path"],
        json!(["input", "parentId"])
    );
}

async fn expired_sessions_refuse_renewal(app: TestApp) {
    // Without a configured window, edits are always allowed.
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let id = ann.says(&conversation, "forever").await;
    app.app.clock.advance(TimeDelta::minutes(5));
    let seen = ann
        .execute(
            "query($id: ID!) { message(id: $id) { viewerCanEdit editableUntil viewerCanDelete } }",
            json!({ "id": id }),
        )
        .await;
    let expected = json!({ "viewerCanEdit": true, "editableUntil": null, "viewerCanDelete": true });
    assert_eq!(seen["message"], expected);
}

async fn mentions_are_found(app: TestApp) {
    let (ann, bob, eve) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Eve").await,
    );
    let conversation = ann.direct(&bob).await;
    let id = ann
        .says(&conversation, "@bob and @eve and @ann, `not @bob`")
        .await;
    let read = "query($id: ID!) { message(id: $id) { mentions { username } mentionsViewer } }";
    let seen = bob.execute(read, json!({ "id": id })).await;
    // Eve is no participant, and users cannot mention themselves.
    let expected = json!({ "mentions": [{ "username": "bob" }], "mentionsViewer": true });
    assert_eq!(seen["message"], expected);
    ann.edits(&id, "no mention").await;
    let seen = bob.execute(read, json!({ "id": id })).await;
    assert_eq!(
        seen["message"],
        json!({ "mentions": [], "mentionsViewer": false })
    );
    drop(eve);
}

async fn fifty_users_send_concurrently(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let sends = (0..50).map(|number| {
        let sender = if number % 2 == 0 { &ann } else { &bob };
        sender.says(&conversation, "at once")
    });
    futures_util::future::join_all(sends).await;
    let data = ann
        .execute(
            "query($id: ID!) { conversation(id: $id) { messages(last: 100) { nodes { sequence } } } }",
            json!({ "id": conversation }),
        )
        .await;
    let places: Vec<_> = data["conversation"]["messages"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["sequence"].as_i64().unwrap())
        .collect();
    assert_eq!(places, (1..=50).collect::<Vec<_>>());
}

async fn a_timeline_opens_at_any_time(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let begun = app.app.clock.now();
    for minute in 0..7 {
        let root = ann.says(&conversation, &minute.to_string()).await;
        ann.replies(&conversation, &root, "a reply").await;
        app.app.clock.advance(TimeDelta::minutes(1));
    }
    for seconds in (-30..7 * 60).step_by(30) {
        let time = (begun + TimeDelta::seconds(seconds)).to_rfc3339();
        let variables = json!({ "id": conversation, "around": { "time": time }, "first": 1 });
        let data = ann.execute(TIMELINE, variables).await;
        let first = &data["conversation"]["messages"]["nodes"][0]["body"];
        // The first message is sent slightly after the clock was read.
        let minute = (seconds + 59).div_euclid(60);
        let expected = (minute < 7).then(|| minute.max(0).to_string());
        assert_eq!(*first, json!(expected), "{seconds} seconds later");
    }
}

/// Another transaction locks the tables for longer than a statement may take: nothing was sent, and clients know that
/// trying again is worth it.
async fn a_request_that_waits_too_long_for_the_database_may_be_retried(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let other = Database::connect(&app.app.config.database_url).await;
    let holding = other.unwrap().begin().await.unwrap();
    let hold = "UPDATE conversation SET last_seq = last_seq";
    holding.execute_unprepared(hold).await.unwrap();
    let send = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
        message { sequence } } }";
    let input = json!({ "input": { "conversationId": conversation, "body": "late" } });
    let refused = ann.request(send, input.clone()).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "TIMEOUT",
        "{refused:#}"
    );
    holding.rollback().await.unwrap();
    assert_eq!(
        ann.execute(send, input).await["sendMessage"]["message"]["sequence"],
        1
    );
}
