//! Threads: users reply to replies and read the tree.

use heddle::domain::integrity::{self, Wrong};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    query_cost::QueryCost,
};

both!(
    a_tree_reads_in_three_orders,
    a_page_can_end_anywhere_in_the_tree,
    max_depth_counts_what_it_hides,
    replies_nest_to_any_depth,
    nested_replies_come_level_by_level,
    writing_a_reply_follows_the_thread,
    counts_survive_deletion,
    a_page_takes_no_longer_for_a_user_in_many_groups,
);

const REPLIES: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String,
        $order: ThreadOrder! = TREE, $under: ID, $maxDepth: Int) {
    thread(id: $id) { replyCount replies(first: $first, after: $after, last: $last,
        before: $before, order: $order, under: $under, maxDepth: $maxDepth) {
        edges { depth hiddenReplyCount cursor node { body } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

/// A conversation with this tree: root [a [a1 [a1x] a2] b [b1]], written in the order a b a1 b1 a2 a1x.
async fn tree(app: &TestApp) -> (Person, Person, String, Value) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let root = ann.says(&conversation, "root").await;
    let a = bob.replies(&conversation, &root, "a").await;
    let b = ann.replies(&conversation, &root, "b").await;
    let a1 = ann.replies(&conversation, &a, "a1").await;
    let b1 = bob.replies(&conversation, &b, "b1").await;
    let a2 = bob.replies(&conversation, &a, "a2").await;
    let a1x = bob.replies(&conversation, &a1, "a1x").await;
    let ids = json!({ "talk": conversation, "root": root, "a": a, "b": b, "a1": a1, "b1": b1, "a2": a2, "a1x": a1x });
    let data = ann
        .execute(
            "query($id: ID!) { message(id: $id) { thread { id } } }",
            json!({ "id": root }),
        )
        .await;
    (ann, bob, text(&data["message"]["thread"]["id"]), ids)
}

/// Returns the bodies of a page with their depths, and its page information.
async fn page(person: &Person, thread: &str, mut variables: Value) -> (String, Value) {
    variables["id"] = json!(thread);
    let data = person.execute(REPLIES, variables).await;
    let replies = &data["thread"]["replies"];
    let line = |edge: &Value| {
        let hidden = match edge["hiddenReplyCount"].as_i64().unwrap() {
            0 => String::new(),
            hidden => format!("+{hidden}"),
        };
        format!(
            "{}:{}{hidden}",
            edge["depth"],
            edge["node"]["body"].as_str().unwrap_or("-")
        )
    };
    let lines: Vec<_> = replies["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect();
    (lines.join(" "), replies["pageInfo"].clone())
}

async fn a_tree_reads_in_three_orders(app: TestApp) {
    let (ann, _, thread, ids) = tree(&app).await;
    assert_eq!(
        page(&ann, &thread, json!({})).await.0,
        "1:a 2:a1 3:a1x 2:a2 1:b 2:b1"
    );
    let oldest = page(&ann, &thread, json!({ "order": "OLDEST_FIRST" }))
        .await
        .0;
    assert_eq!(oldest, "1:a 1:b 2:a1 2:b1 2:a2 3:a1x");
    let newest = page(&ann, &thread, json!({ "order": "NEWEST_FIRST" }))
        .await
        .0;
    assert_eq!(newest, "3:a1x 2:a2 2:b1 2:a1 1:b 1:a");
    let under = page(&ann, &thread, json!({ "under": ids["a"] })).await.0;
    assert_eq!(under, "1:a1 2:a1x 1:a2");
    let newest_under = json!({ "under": ids["a"], "order": "NEWEST_FIRST", "maxDepth": 1 });
    assert_eq!(page(&ann, &thread, newest_under).await.0, "1:a2 1:a1+1");
    let elsewhere = ann.says(ids["talk"].as_str().unwrap(), "elsewhere").await;
    let variables = json!({ "id": thread, "under": elsewhere });
    ann.expect_error("NOT_FOUND", REPLIES, variables).await;
}

async fn a_page_can_end_anywhere_in_the_tree(app: TestApp) {
    let (ann, _, thread, _) = tree(&app).await;
    for order in ["TREE", "OLDEST_FIRST", "NEWEST_FIRST"] {
        let (whole, _) = page(&ann, &thread, json!({ "order": order })).await;
        let whole: Vec<_> = whole.split(' ').collect();
        for size in 1..=7 {
            let (mut forward, mut after) = (vec![], Value::Null);
            loop {
                let ask = json!({ "order": order, "first": size, "after": after });
                let (part, info) = page(&ann, &thread, ask).await;
                forward.extend(part.split(' ').map(str::to_owned));
                after = info["endCursor"].clone();
                if info["hasNextPage"] == false {
                    break;
                }
            }
            assert_eq!(forward, whole, "{order} by {size}");
            let (mut backward, mut before) = (vec![], Value::Null);
            loop {
                let ask = json!({ "order": order, "last": size, "before": before });
                let (part, info) = page(&ann, &thread, ask).await;
                backward.splice(0..0, part.split(' ').map(str::to_owned));
                before = info["startCursor"].clone();
                if info["hasPreviousPage"] == false {
                    break;
                }
            }
            assert_eq!(backward, whole, "{order} by {size}, backwards");
        }
    }
}

async fn max_depth_counts_what_it_hides(app: TestApp) {
    let (ann, bob, thread, ids) = tree(&app).await;
    assert_eq!(
        page(&ann, &thread, json!({ "maxDepth": 1 })).await.0,
        "1:a+3 1:b+1"
    );
    assert_eq!(
        page(&ann, &thread, json!({ "maxDepth": 2 })).await.0,
        "1:a 2:a1+1 2:a2 1:b 2:b1"
    );
    // A page size together with a depth limit.
    let (first, info) = page(&ann, &thread, json!({ "maxDepth": 2, "first": 2 })).await;
    assert_eq!(first, "1:a 2:a1+1");
    let rest = json!({ "maxDepth": 2, "first": 9, "after": info["endCursor"] });
    assert_eq!(page(&ann, &thread, rest).await.0, "2:a2 1:b 2:b1");
    bob.deletes(ids["a1x"].as_str().unwrap()).await;
    assert_eq!(
        page(&ann, &thread, json!({ "maxDepth": 1 })).await.0,
        "1:a+2 1:b+1"
    );
    let none = json!({ "id": thread, "maxDepth": 0 });
    ann.expect_error("BAD_USER_INPUT", REPLIES, none).await;
}

async fn replies_nest_to_any_depth(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut chain = vec![ann.says(&conversation, "0").await];
    for level in 1..=53 {
        let parent = chain.last().unwrap().clone();
        chain.push(
            bob.replies(&conversation, &parent, &level.to_string())
                .await,
        );
    }
    let read = "query($id: ID!) { message(id: $id) { depth replyCount descendantCount
        parent { id } receiver { id } replies { nodes { id } } thread { replyCount } } }";
    for (level, id) in chain.iter().enumerate() {
        let seen = ann.execute(read, json!({ "id": id })).await;
        let parent = level
            .checked_sub(1)
            .map(|above| json!({ "id": chain[above] }));
        let replies: Vec<_> = chain[level + 1..].iter().take(1).collect();
        let receiver = if level == 0 { &bob } else { &ann };
        let expected = json!({
            "depth": level,
            "replyCount": replies.len(),
            "descendantCount": 53 - level,
            "parent": parent,
            "receiver": { "id": receiver.id },
            "replies": { "nodes": replies.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() },
            "thread": { "replyCount": 53 },
        });
        assert_eq!(seen["message"], expected, "level {level}");
    }
    let thread = chain[0].replace("msg_", "thr_");
    for (under, levels) in [
        (0, 49),
        (0, 50),
        (0, 51),
        (48, 3),
        (50, 1),
        (50, 9),
        (51, 1),
        (52, 2),
    ] {
        let variables = json!({ "id": thread, "under": chain[under], "maxDepth": levels });
        let list = "query($id: ID!, $under: ID, $maxDepth: Int) { thread(id: $id) {
            replies(first: 100, under: $under, maxDepth: $maxDepth) {
                edges { depth hiddenReplyCount node { id } } } } }";
        let seen = ann.execute(list, variables).await;
        let lowest = (under + levels).min(53);
        let edges = (under + 1..=lowest).map(|level| {
            let hidden = if level == under + levels { 53 - level } else { 0 };
            json!({ "depth": level - under, "hiddenReplyCount": hidden, "node": { "id": chain[level] } })
        });
        let edges: Vec<_> = edges.collect();
        assert_eq!(
            seen["thread"]["replies"]["edges"],
            json!(edges),
            "{under} {levels}"
        );
    }
    // A marker stays while a reply at any level below it exists.
    for deleted in [51, 50, 52] {
        bob.deletes(&chain[deleted]).await;
        let seen = ann.execute(read, json!({ "id": chain[51] })).await;
        assert_eq!(
            seen["message"]["descendantCount"],
            if deleted == 52 { 1 } else { 2 }
        );
    }
    let seen = ann.execute(read, json!({ "id": chain[51] })).await;
    assert_eq!(seen["message"]["replyCount"], 0);
    bob.deletes(&chain[53]).await;
    for hidden in &chain[50..=53] {
        let seen = ann.execute(read, json!({ "id": hidden })).await;
        assert_eq!(seen["message"], Value::Null);
    }
    let seen = ann.execute(read, json!({ "id": chain[49] })).await;
    assert_eq!(seen["message"]["descendantCount"], 0);
    let wrong = integrity::prove(&app.app.db).await.unwrap();
    assert_eq!(wrong, Wrong::default());
}

async fn nested_replies_come_level_by_level(app: TestApp) {
    let (ann, _, _, ids) = tree(&app).await;
    let read = "query($id: ID!) { message(id: $id) { replies(first: 1) {
        pageInfo { hasNextPage endCursor } nodes { body replies { nodes { body replies { nodes { body } } } } } } } }";
    let seen = ann.execute(read, json!({ "id": ids["root"] })).await;
    let replies = &seen["message"]["replies"];
    assert_eq!(replies["pageInfo"]["hasNextPage"], true);
    let a = json!({ "body": "a", "replies": { "nodes": [
        { "body": "a1", "replies": { "nodes": [{ "body": "a1x" }] } },
        { "body": "a2", "replies": { "nodes": [] } } ] } });
    assert_eq!(replies["nodes"], json!([a]));
    let read = "query($id: ID!, $after: String) { message(id: $id) { replies(after: $after) {
        nodes { body } } } }";
    let rest = json!({ "id": ids["root"], "after": replies["pageInfo"]["endCursor"] });
    let seen = ann.execute(read, rest).await;
    assert_eq!(
        seen["message"]["replies"]["nodes"],
        json!([{ "body": "b" }])
    );
}

async fn writing_a_reply_follows_the_thread(app: TestApp) {
    let (ann, bob, thread, _) = tree(&app).await;
    let read = "{ viewer { threads { nodes { id viewerIsFollowing replyCount lastReply { body }
        root { body } participants { nodes { username } } } } } }";
    let expected = json!([{
        "id": thread, "viewerIsFollowing": true, "replyCount": 6, "lastReply": { "body": "a1x" },
        "root": { "body": "root" },
        "participants": { "nodes": [{ "username": "bob" }, { "username": "ann" }] },
    }]);
    for person in [&ann, &bob] {
        let seen = person.execute(read, Value::Null).await;
        assert_eq!(seen["viewer"]["threads"]["nodes"], expected);
    }
    let stop = "mutation($id: ID!) { unfollowThread(input: { threadId: $id }) {
        thread { viewerIsFollowing } } }";
    let data = bob.execute(stop, json!({ "id": thread })).await;
    assert_eq!(data["unfollowThread"]["thread"]["viewerIsFollowing"], false);
    let seen = bob.execute(read, Value::Null).await;
    assert_eq!(seen["viewer"]["threads"]["nodes"], json!([]));
    let again = "mutation($id: ID!) { followThread(input: { threadId: $id }) {
        thread { viewerIsFollowing } } }";
    let data = bob.execute(again, json!({ "id": thread })).await;
    assert_eq!(data["followThread"]["thread"]["viewerIsFollowing"], true);
    let eve = app.person("Eve").await;
    eve.expect_error("NOT_FOUND", again, json!({ "id": thread }))
        .await;
}

async fn counts_survive_deletion(app: TestApp) {
    let (ann, bob, thread, ids) = tree(&app).await;
    bob.deletes(ids["a"].as_str().unwrap()).await;
    // The marker keeps its position and is not counted.
    assert_eq!(
        page(&ann, &thread, json!({})).await.0,
        "1:- 2:a1 3:a1x 2:a2 1:b 2:b1"
    );
    let read =
        "query($id: ID!) { message(id: $id) { replyCount descendantCount thread { replyCount } } }";
    let seen = ann.execute(read, json!({ "id": ids["root"] })).await;
    let counts = json!({ "replyCount": 1, "descendantCount": 5, "thread": { "replyCount": 5 } });
    assert_eq!(seen["message"], counts);
    for id in ["a1x", "a2"] {
        bob.deletes(ids[id].as_str().unwrap()).await;
    }
    ann.deletes(ids["a1"].as_str().unwrap()).await;
    // The markers have no replies any more, so they are hidden.
    assert_eq!(page(&ann, &thread, json!({})).await.0, "1:b 2:b1");
}

async fn a_page_takes_no_longer_for_a_user_in_many_groups(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    // Most users are in one conversation.
    let large = ann.creates_group(Some("Large group"), &[]).await;
    app.db_large_conversation(&large, 300).await;
    let costs = async || {
        let conversation = ann.creates_group(Some("Loom"), &[&bob]).await;
        let root = ann.says(&conversation, "root").await;
        bob.replies(&conversation, &root, "below").await;
        let thread = "query($id: ID!) { message(id: $id) { thread { id } } }";
        let data = bob.execute(thread, json!({ "id": root })).await;
        let page = json!({ "id": data["message"]["thread"]["id"], "first": 10 });
        let work = QueryCost::watch_reads(&app.app.db, "participant").await;
        let read = async || drop(bob.execute(REPLIES, page.clone()).await);
        (work.least(read).await, work.spread_percent())
    };
    let (few, _) = costs().await;
    for _ in 0..100 {
        ann.creates_group(Some("Another"), &[&bob]).await;
    }
    let (many, spread) = costs().await;
    assert!(many * 100 <= few * (100 + spread) + 1000, "{few}, {many}");
}
