//! The fast path for lists returns the same result as the executor.

use std::fmt::Debug;

use heddle::{
    db::{self, RowRef},
    entity::{
        conversation, message,
        partial::{Columns, Partial},
        participant, thread, user,
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{PASSWORD, Person},
    seed::seed,
};

both!(
    the_list_fast_path_returns_the_same_lists,
    lists_selected_in_parts_are_one_list
);

/// Inline reads return the same rows as the pool of connections, and hand long statements to it.
#[tokio::test]
async fn inline_reads_return_the_same_rows() {
    let app = TestApp::sqlite().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Löom"), &[&bob]).await;
    let root = ann.says(&group, "Which yarn, @ann?\n\n*Wool* 🐑").await;
    bob.replies(&group, &root, "cøtton 🧵").await;
    ann.edits(&root, "Which yarn, then?").await;
    bob.deletes(&bob.says(&group, "gone").await).await;
    ann.creates_group(None, &[&bob]).await;
    macro_rules! same {
        ($($table:ident),+) => {$(
            let columns = Columns::<$table::Column>::all();
            let read = |row: &RowRef<'_>| Partial::<$table::Model>::read(row, &columns, 0);
            let rows = rows_of(&app, stringify!($table), &columns.names().collect::<Vec<_>>(), read).await;
            assert!(rows.len() > 0, stringify!($table));
        )+};
    }
    same!(conversation, message, participant, thread, user);
    // A statement with too many steps continues on a thread of the pool.
    let long = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000000)
        SELECT count(*) FROM n";
    let read = app.app.db.read();
    let statement = db::sql(read.get_database_backend(), long, []);
    let counted = db::fetch_page(read, statement, |row| row.get::<i64>(0)).await;
    assert_eq!(counted.unwrap(), [1_000_000]);
    // Both ways fail when a column has another type.
    let statement = db::sql(read.get_database_backend(), "SELECT 'text'", []);
    let read_as_number = |row: &RowRef<'_>| row.get::<i32>(0);
    assert!(
        db::fetch_page(read, statement, read_as_number)
            .await
            .is_err()
    );
}

/// Returns all rows of a table, after verifying that both ways return the same.
async fn rows_of<T: PartialEq + Debug>(
    app: &TestApp,
    table: &str,
    columns: &[&str],
    read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
) -> Vec<T> {
    let reader = app.app.db.read();
    assert!(db::PageSource::inline_reads(reader).is_some());
    let text = format!(
        r#"SELECT {} FROM "{table}" ORDER BY id"#,
        columns.join(", ")
    );
    let statement = db::sql(reader.get_database_backend(), &text, []);
    let ordinary = db::fetch_page(reader.pools()[0], statement.clone(), &read).await;
    // Without the fallback, so that it does not hide an error.
    let in_place =
        db::PageSource::inline_reads(reader).and_then(|in_place| in_place.read(&statement, &read));
    assert_eq!(in_place.as_deref(), ordinary.as_deref().ok());
    ordinary.unwrap()
}

/// Fields of a message that the fast path supports.
const PLAIN: [&str; 19] = [
    "id",
    "kind",
    "priority",
    "body",
    "bodyHtml",
    "sequence",
    "isImported",
    "createdAt",
    "editedAt",
    "deletedAt",
    "depth",
    "replyCount",
    "descendantCount",
    "sender { id username displayName isVerified isImported createdAt updatedAt __typename }",
    "parent { id body sender { id } parent { viewerHasRead parent { sequence sender { displayName } } } }",
    "viewerHasRead",
    "mentionsViewer",
    "thread { id replyCount lastActivityAt viewerUnreadCount viewerIsFollowing __typename
        lastReply { id body sender { username } parent { body thread { id } } } }",
    "... on Message { __typename inline: sequence }",
];
/// Fields that the fast path does not support: one of them disables it for the whole list.
const OTHER: [&str; 4] = [
    "viewerCanEdit",
    "sender { bio }",
    "parent { sender { bio } }",
    "again: id id",
];
/// Fields of a conversation that the fast path supports.
const PLAIN_OF_CONVERSATIONS: [&str; 14] = [
    "id",
    "kind",
    "title",
    "displayTitle",
    "topic",
    "historyVisibility",
    "createdAt",
    "lastActivityAt",
    "participantCount",
    "createdBy { id displayName }",
    "lastMessage { body sender { displayName } viewerHasRead }",
    "viewerMembership { id notificationLevel isPinned isArchived isHidden canSend unreadCount
        mentionCount }",
    "rights: viewerMembership { canUpdate canAddParticipants canRemoveParticipants canChangeRoles
        canModerate canDelete }",
    "__typename",
];

/// Returns a selection of a message, and the same with a field that disables the fast path.
fn fields(random: &mut StdRng) -> [String; 2] {
    let count = random.random_range(1..6);
    let mut some: Vec<_> = PLAIN.choose_multiple(random, count).copied().collect();
    if random.random_ratio(1, 6) {
        some.push(OTHER.choose(random).copied().unwrap());
    }
    if random.random_ratio(1, 4) {
        some.push("...Known");
    }
    ["", "alone: viewerCanReply"].map(|alone| format!("{} {alone}", some.join(" ")))
}

/// Returns the value without the field that disables the fast path.
fn without(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("alone");
            fields.values_mut().for_each(without);
        }
        Value::Array(items) => items.iter_mut().for_each(without),
        _ => {}
    }
}

async fn execute(who: &Person, fields: &str, variables: &Value) -> Value {
    let known = if fields.contains("...Known") {
        "fragment Known on Message { known: id known2: createdAt }"
    } else {
        ""
    };
    let query = format!(
        "query($group: ID!, $thread: ID!) {{
            conversation(id: $group) {{ messages(first: 20, includeReplies: true) {{
                nodes {{ {fields} }} edges {{ cursor node {{ {fields} }} __typename }} }} }}
            thread(id: $thread) {{ replies(first: 20) {{
                edges {{ depth hiddenReplyCount cursor node {{ {fields} }} }} nodes {{ {fields} }} }} }}
            users(filter: {{}}) {{ nodes {{ id displayName }} edges {{ node {{ username }} cursor }} }} }}
         {known}"
    );
    let mut data = who.execute(&query, variables.clone()).await;
    // A query of its own, because it costs much.
    let query = format!(
        "{{ viewer {{ messages(first: 20) {{
            nodes {{ {fields} }} edges {{ cursor node {{ {fields} }} }} }} }} }} {known}"
    );
    data["everywhere"] = who.execute(&query, json!({})).await;
    without(&mut data);
    data
}

async fn conversations(who: &Person, fields: &str) -> Value {
    let query = format!(
        "{{ viewer {{ conversations(first: 10) {{
            nodes {{ {fields} }} edges {{ cursor node {{ {fields} }} }} }} }} }}"
    );
    let mut data = who.execute(&query, json!({})).await;
    without(&mut data);
    data
}

async fn the_list_fast_path_returns_the_same_lists(app: TestApp) {
    let mut random = StdRng::seed_from_u64(seed());
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let mut cleo = app.person("Cleo").await;
    let group = ann.creates_group(Some("Loom"), &[&bob, &cleo]).await;
    let root = ann.says(&group, "**Which** yarn, @bob?").await;
    let mut all = vec![root.clone()];
    for number in 0..12 {
        let who = *[&ann, &bob, &cleo].choose(&mut random).unwrap();
        let parent = all.choose(&mut random).unwrap().clone();
        all.push(
            who.replies(&group, &parent, &format!("yarn {number}"))
                .await,
        );
    }
    ann.edits(&root, "Which yarn, then?").await;
    let gone = bob.says(&group, "gone").await;
    cleo.replies(&group, &gone, "kept").await;
    bob.deletes(&gone).await;
    // Messages of a deleted account stay, without a sender.
    let delete = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        deletedUserId } }";
    cleo.signs_in().await;
    let input = json!({ "confirmUsername": "cleo", "password": PASSWORD });
    cleo.execute(delete, json!({ "input": input })).await;
    // Dora joins in the middle and sees only later messages, also replies to earlier ones.
    let history = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) {
        conversation { id } } }";
    let input = json!({ "conversationId": group, "historyVisibility": "FROM_JOINING" });
    ann.execute(history, json!({ "input": input })).await;
    let dora = app.person("Dora").await;
    ann.adds(&group, &dora, "MEMBER").await;
    let late = ann.says(&group, "@dora, too").await;
    let mut recent = vec![late.clone()];
    for number in 0..6 {
        let parent = recent.choose(&mut random).unwrap().clone();
        let words = format!("late {number}");
        recent.push(dora.replies(&group, &parent, &words).await);
        bob.replies(&group, &root, "old").await;
    }
    bob.deletes(&bob.replies(&group, &late, "gone").await).await;
    for (who, root) in [(&bob, &root), (&dora, &late)] {
        let thread = root.replace("msg_", "thr_");
        let variables = json!({ "group": group, "thread": thread });
        let alone = PLAIN.map(|field| [field.to_owned(), format!("{field} alone: viewerCanReply")]);
        let some = (0..25).map(|_| fields(&mut random));
        for [at_once, one_by_one] in alone.into_iter().chain(some) {
            let found = execute(who, &at_once, &variables).await;
            assert_eq!(
                found,
                execute(who, &one_by_one, &variables).await,
                "{at_once}"
            );
            assert!(found["conversation"]["messages"]["nodes"][0].is_object());
            assert!(found["thread"]["replies"]["nodes"][0].is_object());
        }
    }
    // Some are read and some are not, one has no title, and one belongs to another user.
    bob.creates_group(None, &[&ann]).await;
    let direct = ann.direct(&bob).await;
    ann.says(&direct, "only for @bob").await;
    ann.creates_group(Some("Weft"), &[&bob]).await;
    for _ in 0..25 {
        let count = random.random_range(1..8);
        let some: Vec<_> = PLAIN_OF_CONVERSATIONS
            .choose_multiple(&mut random, count)
            .copied()
            .collect();
        let some = some.join(" ");
        check_conversations(&bob, &some).await;
    }
    for field in PLAIN_OF_CONVERSATIONS {
        check_conversations(&bob, field).await;
    }
}

/// A field that is selected twice, or in a fragment too, is one field of the response with all selected subfields.
async fn lists_selected_in_parts_are_one_list(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let root = ann.says(&talk, "Which yarn?").await;
    bob.replies(&talk, &root, "Wool.").await;
    let variables = json!({ "talk": talk, "thread": root.replace("msg_", "thr_") });
    let execute = async |inside: &str| {
        let query = format!("query($talk: ID!, $thread: ID!) {{ {inside} }}");
        ann.execute(&query, variables.clone()).await
    };
    let whole = execute(
        "conversation(id: $talk) { title messages(last: 5) { nodes { id body sender { id username } } } }
         thread(id: $thread) { replyCount replies(first: 5) { edges { depth node { id body } } } }",
    )
    .await;
    assert_eq!(
        whole["conversation"]["messages"]["nodes"][0]["body"],
        "Which yarn?"
    );
    assert_eq!(
        whole["thread"]["replies"]["edges"][0]["node"]["body"],
        "Wool."
    );
    for parts in [
        "conversation(id: $talk) { messages(last: 5) { nodes { id sender { id } }
             nodes { body sender { username } } } title }
         thread(id: $thread) { replies(first: 5) { edges { depth } edges { node { id } } } }
         thread(id: $thread) { replyCount replies(first: 5) { edges { node { body } } } }",
        "conversation(id: $talk) { ...Title messages(last: 5) { nodes { id } ...Rest } }
         conversation(id: $talk) { messages(last: 5) { nodes { body sender { id } } } }
         thread(id: $thread) { ... { replies(first: 5) { edges { node { id } } } }
             replies(first: 5) { edges { depth node { body } } } replyCount } }
         fragment Title on Conversation { title }
         fragment Rest on MessageConnection { nodes { sender { username } }",
    ] {
        assert_eq!(execute(parts).await, whole, "{parts}");
    }
}

async fn check_conversations(who: &Person, some: &str) {
    let found = conversations(who, some).await;
    let alone = format!("{some} alone: messages(last: 1) {{ nodes {{ id }} }}");
    assert_eq!(found, conversations(who, &alone).await, "{some}");
    let all = found["viewer"]["conversations"]["nodes"]
        .as_array()
        .unwrap();
    assert_eq!(all.len(), 4);
}
