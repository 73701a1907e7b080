//! `pageInfo` is true of the list as it is now, also where the items around a cursor were deleted.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
};

both!(
    deleted_messages_neither_precede_nor_follow,
    deleted_replies_neither_precede_nor_follow,
    items_that_left_a_list_do_not_precede,
    a_page_around_an_anchor_knows_both_sides,
);

/// A list of the API, in its original order.
struct List<'a> {
    viewer: &'a Person,
    document: String,
    variables: Value,
    pointer: &'static str,
    is_bidirectional: bool,
    items: Vec<(String, String)>,
}

impl<'a> List<'a> {
    /// Reads the whole list. `field` is the path to it: round brackets are those of the page's arguments, square ones
    /// those of other fields, and `@` is the selection.
    async fn of(
        viewer: &'a Person,
        (field, pointer): (&str, &'static str),
        id: Option<&str>,
        is_bidirectional: bool,
    ) -> Self {
        let page = if is_bidirectional {
            (
                "$last: Int, $before: String,",
                "last: $last, before: $before,",
            )
        } else {
            ("", "")
        };
        let selection = format!("(first: $first, after: $after, {}", page.1);
        let connection =
            "{ edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } }";
        let id_parameter = if id.is_some() { "$id: ID!," } else { "" };
        let document = format!(
            "query({id_parameter} {} $first: Int, $after: String) {{ {} }}",
            page.0,
            field
                .replace('(', &selection)
                .replace('[', "(")
                .replace(']', ")")
                .replace('@', connection)
        );
        let mut list = Self {
            viewer,
            document,
            variables: json!({ "id": id }),
            pointer,
            is_bidirectional,
            items: vec![],
        };
        let (items, info) = list.page(&json!({ "first": 100 })).await;
        assert_eq!(info, (false, false));
        assert!(items.len() >= 4, "{}", list.document);
        list.items = items;
        list
    }

    async fn page(&self, page: &Value) -> (Vec<(String, String)>, (bool, bool)) {
        let mut variables = self.variables.clone();
        for (name, value) in page.as_object().unwrap() {
            variables[name] = value.clone();
        }
        let data = self.viewer.execute(&self.document, variables).await;
        let list = data.pointer(self.pointer).unwrap();
        let edges = list["edges"].as_array().unwrap().iter();
        let items = edges.map(|edge| (text(&edge["cursor"]), text(&edge["node"]["id"])));
        let flag = |name: &str| list["pageInfo"][name].as_bool().unwrap();
        (
            items.collect(),
            (flag("hasPreviousPage"), flag("hasNextPage")),
        )
    }

    /// Requests a page from each original cursor, and compares it with what is left of the original list.
    async fn agrees_without(&self, gone: &[usize]) {
        let gone: HashSet<_> = gone.iter().copied().collect();
        let left: Vec<_> = (0..self.items.len())
            .filter(|at| !gone.contains(at))
            .collect();
        for at in 0..self.items.len() {
            let cursor = &self.items[at].0;
            let (earlier, later): (Vec<_>, Vec<_>) = (
                left.iter().copied().filter(|&other| other < at).collect(),
                left.iter().copied().filter(|&other| other > at).collect(),
            );
            let is_left = left.contains(&at);
            for size in [1, 2, 100] {
                let forward = json!({ "first": size, "after": cursor });
                let expected = &later[..size.min(later.len())];
                let flags = (is_left || !earlier.is_empty(), expected.len() < later.len());
                self.is(&forward, expected, flags).await;
                if self.is_bidirectional {
                    let backward = json!({ "last": size, "before": cursor });
                    let expected = &earlier[earlier.len().saturating_sub(size)..];
                    let flags = (expected.len() < earlier.len(), is_left || !later.is_empty());
                    self.is(&backward, expected, flags).await;
                }
            }
            let Some(end) = self.items.get(at + 2).filter(|_| self.is_bidirectional) else {
                continue;
            };
            // Between two cursors.
            let between = json!({ "first": 1, "after": cursor, "before": end.0 });
            let expected = if gone.contains(&(at + 1)) {
                vec![]
            } else {
                vec![at + 1]
            };
            let follows = later.iter().any(|&other| other > at + 1);
            let flags = (is_left || !earlier.is_empty(), follows);
            self.is(&between, &expected, flags).await;
        }
    }

    async fn is(&self, page: &Value, expected: &[usize], flags: (bool, bool)) {
        let (items, info) = self.page(page).await;
        let ids: Vec<_> = items.iter().map(|(_, id)| id.as_str()).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|&at| self.items[at].1.as_str())
            .collect();
        assert_eq!(ids, expected, "{page} of {}", self.document);
        assert_eq!(info, flags, "{page} of {}", self.document);
    }
}

async fn deleted_messages_neither_precede_nor_follow(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Rest"), &[&bob]).await;
    for number in 0..6 {
        ann.says(&group, &number.to_string()).await;
    }
    let timeline = (
        "conversation[id: $id] { messages( includeReplies: true) @ }",
        "/conversation/messages",
    );
    let list = List::of(&ann, timeline, Some(&group), true).await;
    let unread = List::of(
        &bob,
        (
            "viewer { unreadMessages( conversationId: $id) @ }",
            "/viewer/unreadMessages",
        ),
        Some(&group),
        true,
    )
    .await;
    let all_unread = ("viewer { unreadMessages() @ }", "/viewer/unreadMessages");
    let all_unread = List::of(&bob, all_unread, None, true).await;
    let mut everywhere = vec![];
    for arguments in [
        "order: OLDEST_FIRST",
        "order: NEWEST_FIRST",
        "filter: { unreadOnly: true }",
        &format!("filter: {{ senderIds: \"{}\" }}", ann.id),
    ] {
        let field = format!("viewer {{ messages( {arguments}) @ }}");
        everywhere.push(List::of(&bob, (&field, "/viewer/messages"), None, true).await);
    }
    let count = list.items.len();
    let notices = count - unread.items.len();
    list.agrees_without(&[]).await;
    unread.agrees_without(&[]).await;
    // Everything after the message that is now last, then what precedes the first one.
    let mut gone = vec![];
    for at in [count - 1, count - 2, notices, notices + 1] {
        ann.deletes(&list.items[at].1).await;
        gone.push(at);
        list.agrees_without(&gone).await;
        let of_unread: Vec<_> = gone.iter().map(|at| at - notices).collect();
        unread.agrees_without(&of_unread).await;
        all_unread.agrees_without(&of_unread).await;
        let ids: HashSet<_> = gone.iter().map(|&at| &list.items[at].1).collect();
        for list in &everywhere {
            let items = list.items.iter().enumerate();
            let gone = items.filter(|(_, (_, id))| ids.contains(id));
            list.agrees_without(&gone.map(|(at, _)| at).collect::<Vec<_>>())
                .await;
        }
    }
}

async fn deleted_replies_neither_precede_nor_follow(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Rest"), &[&bob]).await;
    let root = ann.says(&group, "root").await;
    for number in 0..6 {
        ann.replies(&group, &root, &number.to_string()).await;
    }
    let thread = ann.execute(
        "query($id: ID!) { message(id: $id) { thread { id } } }",
        json!({ "id": root }),
    );
    let thread = text(&thread.await["message"]["thread"]["id"]);
    let mut lists = vec![];
    for order in ["TREE", "OLDEST_FIRST", "NEWEST_FIRST"] {
        let field = format!("thread[id: $id] {{ replies( order: {order}) @ }}");
        lists.push(List::of(&ann, (&field, "/thread/replies"), Some(&thread), true).await);
    }
    let direct = ("message[id: $id] { replies() @ }", "/message/replies");
    lists.push(List::of(&ann, direct, Some(&root), false).await);
    let ids: Vec<_> = lists[0].items.iter().map(|item| item.1.clone()).collect();
    let mut gone = vec![];
    for at in [5, 4, 0, 1] {
        ann.deletes(&ids[at]).await;
        gone.push(ids[at].clone());
        for list in &lists {
            let items = list.items.iter().enumerate();
            let gone: Vec<_> = items
                .filter(|(_, item)| gone.contains(&item.1))
                .map(|(at, _)| at)
                .collect();
            list.agrees_without(&gone).await;
        }
    }
}

async fn items_that_left_a_list_do_not_precede(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let mut others = vec![];
    for name in ["Cleo", "Dan", "Eve"] {
        others.push(app.person(name).await);
    }
    for number in 0..5 {
        bob.creates_group(Some(&format!("Group {number}")), &[&ann])
            .await;
    }
    let everyone: Vec<_> = others.iter().chain([&bob]).collect();
    let group = ann.creates_group(Some("All"), &everyone).await;
    let participants = (
        "conversation[id: $id] { participants() @ }",
        "/conversation/participants",
    );
    let participants = List::of(&ann, participants, Some(&group), false).await;
    let conversations = ("viewer { conversations() @ }", "/viewer/conversations");
    let conversations = List::of(&ann, conversations, None, false).await;
    let notifications = ("viewer { notifications() @ }", "/viewer/notifications");
    let notifications = List::of(&ann, notifications, None, false).await;
    // Ann is first, as the owner.
    let count = participants.items.len();
    bob.leaves(&group).await;
    let bob_at = 1;
    participants.agrees_without(&[bob_at]).await;
    ann.makes(&group, &others[2], "OWNER").await;
    ann.leaves(&group).await;
    assert_eq!(count, 5);
    // The group was the newest conversation.
    conversations.agrees_without(&[0]).await;
    let dismiss =
        "mutation($ids: [ID!]!) { dismissNotifications(input: { notifications: { ids: $ids } }) {
        dismissedNotificationIds } }";
    let mut gone = vec![];
    for at in [0, 1, 4] {
        let ids = json!({ "ids": [notifications.items[at].1] });
        ann.execute(dismiss, ids).await;
        gone.push(at);
        notifications.agrees_without(&gone).await;
    }
}

async fn a_page_around_an_anchor_knows_both_sides(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(Some("Around"), &[]).await;
    let mut sent = vec![];
    for number in 0..3 {
        sent.push(ann.says(&group, &number.to_string()).await);
    }
    let document = "query($id: ID!, $at: ID!, $first: Int, $last: Int) { conversation(id: $id) {
        messages(around: { messageId: $at }, first: $first, last: $last) {
            nodes { id } pageInfo { hasPreviousPage hasNextPage } } } }";
    let info = async |at: usize, first: Option<i32>, last: Option<i32>| {
        let variables = json!({ "id": group, "at": sent[at], "first": first, "last": last });
        let mut data = ann.execute(document, variables).await;
        data["conversation"]["messages"]["pageInfo"].take()
    };
    let flags = |previous, next| json!({ "hasPreviousPage": previous, "hasNextPage": next });
    assert_eq!(info(1, Some(1), None).await, flags(true, true));
    assert_eq!(info(1, Some(2), None).await, flags(true, false));
    assert_eq!(info(1, None, Some(1)).await, flags(true, true));
    assert_eq!(info(1, None, None).await, flags(false, false));
}
