//! Every caller requests every field of every type: those who may see it do, and the others cannot distinguish an
//! object of another user from one that does not exist.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_graphql_parser::types::{FieldDefinition, TypeDefinition, TypeKind};
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use heddle::{domain::audit, entity::user::ServerRole, id};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::{
    fields::{base, call, types},
    policy::{POLICY, Who},
};
use crate::support::{
    app::TestApp,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    socket::Subscription,
};

#[tokio::test]
async fn each_viewer_sees_what_the_policy_allows_on_sqlite() {
    each_viewer_sees_what_the_policy_allows(TestApp::sqlite().await).await;
}

#[tokio::test]
async fn each_viewer_sees_what_the_policy_allows_on_postgres() {
    each_viewer_sees_what_the_policy_allows(TestApp::postgres().await).await;
}

async fn each_viewer_sees_what_the_policy_allows(app: TestApp) {
    let types = types();
    let world = World::new(&app).await;
    let mut questions = vec![];
    for (kind, who, fields) in POLICY {
        let Some(path) = path(kind) else { continue };
        let TypeKind::Object(object) = &types[*kind].kind else {
            panic!("{kind} is an object");
        };
        for field in &object.fields {
            let name = field.node.name.node.as_str();
            if fields.split_whitespace().any(|listed| listed == name) {
                let part = selection(&types, &field.node);
                questions.push((*kind, *who, path.replace("PART", &part)));
            }
        }
    }
    assert!(questions.len() > 100, "only {} fields", questions.len());
    let requests: Vec<_> = questions
        .iter()
        .flat_map(|question| world.callers.iter().map(move |caller| (question, caller)))
        .collect();
    let shown: Vec<BTreeSet<&str>> = stream::iter(requests)
        .map(|((kind, who, query), caller)| world.execute(kind, *who, query, caller))
        .buffered(8)
        .collect()
        .await;
    // Each canary must be visible to a caller, or its absence proves nothing.
    let shown: BTreeSet<_> = shown.into_iter().flatten().collect();
    let canaries: BTreeSet<_> = CANARIES.iter().map(|(word, _)| *word).collect();
    assert_eq!(shown, canaries);
    world.hidden_objects_look_missing(&types).await;
    world.streams_stay_silent(&app).await;
}

#[test]
fn every_field_has_a_line_in_the_policy() {
    let mut listed: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (kind, _, fields) in POLICY {
        for field in fields.split_whitespace() {
            *listed.entry((kind, field)).or_default() += 1;
        }
    }
    assert!(listed.values().all(|lines| *lines == 1), "{listed:#?}");
    let types = types();
    let mut there = BTreeSet::new();
    for (name, kind) in &types {
        if let TypeKind::Object(object) = &kind.kind {
            let fields = object.fields.iter();
            there.extend(fields.map(|field| (name.as_str(), field.node.name.node.as_str())));
        }
    }
    let listed: BTreeSet<_> = listed.into_keys().collect();
    let missing: Vec<_> = there.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "say in policy.rs who may see {missing:#?}"
    );
    let stale: Vec<_> = listed.difference(&there).collect();
    assert!(stale.is_empty(), "{stale:#?} is no more");
}

/// How to select one object of a type by the id of an object.
fn path(kind: &str) -> Option<String> {
    Some(match kind {
        "Conversation" | "Participant" | "Message" | "MessageRevision" | "Thread" | "Viewer"
        | "Preferences" | "UnreadTotals" | "Session" | "Membership" | "Notification" | "User" => {
            format!("query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ PART }} }} }}")
        }
        "Notice" => {
            "query($id: ID!) { node(id: $id) { ... on Message { notice { PART } } } }".into()
        }
        "AccountDeletionPreview" => {
            "query($id: ID!) { node(id: $id) { ... on Viewer { deletionPreview { PART } } } }"
                .into()
        }
        "Admin" => "{ admin { PART } }".into(),
        "Account" => "query($id: ID!) { node(id: $id) { ... on Account { PART } } }".into(),
        "AuditEntry" => "query($id: ID!) { node(id: $id) { ... on AuditEntry { PART } } }".into(),
        "AuditChange" => "{ admin { auditLog(first: 1) { nodes { changes { PART } } } } }".into(),
        "Server" => "{ server { PART } }".into(),
        "ServerLimits" => "{ server { limits { PART } } }".into(),
        "ErrorCodeInfo" => "{ server { errorCodes { PART } } }".into(),
        _ => return None,
    })
}

/// Returns the selection of a field, two levels deep.
fn selection(types: &HashMap<String, TypeDefinition>, field: &FieldDefinition) -> String {
    let requested = call(types, field);
    match requested.strip_suffix("{ __typename }") {
        Some(start) => format!("{start}{{ {} }}", leaves(types, base(&field.ty.node), 2)),
        None => requested,
    }
}

fn leaves(types: &HashMap<String, TypeDefinition>, kind: &str, levels: u32) -> String {
    let TypeKind::Object(object) = &types[kind].kind else {
        return "__typename".to_owned();
    };
    let mut parts = vec!["__typename".to_owned()];
    for field in &object.fields {
        let requested = call(types, &field.node);
        match requested.strip_suffix("{ __typename }") {
            None => parts.push(requested),
            Some(start) if levels > 0 && field.node.name.node == "nodes" => {
                let inside = leaves(types, base(&field.node.ty.node), 0);
                parts.push(format!("{start}{{ {inside} }}"));
            }
            Some(_) => {}
        }
    }
    parts.join(" ")
}

/// Canaries that belong to the member, and who may read them.
const CANARIES: [(&str, Who); 13] = [
    ("canary-title", Who::Inside),
    ("canary-topic", Who::Inside),
    ("canary-body", Who::Inside),
    ("canary-before", Who::Inside),
    ("canary-reason", Who::Inside),
    ("canary-reply", Who::Inside),
    ("canary-first", Who::Contacts),
    ("canary-last", Who::Contacts),
    ("canary-bio", Who::Contacts),
    ("canary-status", Who::Contacts),
    ("canary-key", Who::Owner),
    ("+15550123456", Who::Owner),
    ("mem@example.org", Who::OwnerAndAuditor),
];

/// The callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    Anonymous,
    Garbage,
    Expired,
    Stranger,
    Auditor,
    Removed,
    Member,
    Moderator,
    Owner,
}

impl Caller {
    fn may_see(self, who: Who) -> bool {
        match who {
            // A caller with an invalid token is anonymous.
            Who::Public => true,
            Who::SignedIn => self >= Self::Stranger,
            Who::Contacts | Who::Inside => self >= Self::Member,
            Who::Auditor => self == Self::Auditor,
            Who::OwnerAndAuditor => matches!(self, Self::Auditor | Self::Member),
            _ => self == Self::Member,
        }
    }
}

/// A group in which every object belongs to one member.
pub(super) struct World {
    pub(super) callers: Vec<(Caller, Person)>,
    /// For each type, the id of an object of the member, and an id that does not exist.
    pub(super) ids: HashMap<&'static str, [String; 2]>,
    /// The cursor of the removed participant's stream, from before the removal.
    cursor: Value,
    group: String,
}

impl World {
    pub(super) async fn new(app: &TestApp) -> Self {
        let names = ["Zoe", "Rae", "Mem", "Moe", "Ann"];
        let mut people = vec![];
        for name in names {
            people.push(app.person(name).await);
        }
        let [_, rae, mem, moe, ann] = &people[..] else {
            unreachable!("five names")
        };
        let group = ann
            .creates_group(Some("canary-title"), &[rae, mem, moe])
            .await;
        ann.makes(&group, moe, "MODERATOR").await;
        let topic = json!({ "conversationId": group, "topic": "canary-topic" });
        does(ann, "updateConversation", topic).await;
        let mut ids = objects(mem, ann, &group).await;
        let log = audit::page(&app.app.db, 0).await.unwrap();
        let entry = serde_json::to_value(log.last()).unwrap();
        let missing = id::AuditEntryId::mint().to_string();
        let account = mem.id.replacen("usr", "acc", 1);
        let none = id::AccountId(id::UserId::mint().0);
        ids.insert("Account", [account, none.to_string()]);
        ids.insert("AuditEntry", [text(&entry["id"]), missing]);
        let cursor = rae.execute("{ eventCursor }", Value::Null).await["eventCursor"].take();
        ann.removes(&group, rae).await;
        let expired = mem.clone();
        app.app.clock.advance(TimeDelta::hours(1));
        for person in &mut people {
            person.signs_in().await;
        }
        let busy = json!({ "status": "BUSY", "statusText": "canary-status" });
        does(&people[2], "setPresence", busy).await;
        let anonymous = app.anonymous();
        let mut garbage = anonymous.clone();
        garbage.token = Some("bm90aGluZw.bm90aGluZw.bm90aGluZw".to_owned());
        let mut callers = vec![
            (Caller::Anonymous, anonymous),
            (Caller::Garbage, garbage),
            (Caller::Expired, expired),
        ];
        let roles = [
            Caller::Stranger,
            Caller::Removed,
            Caller::Member,
            Caller::Moderator,
            Caller::Owner,
        ];
        callers.extend(roles.into_iter().zip(people));
        let auditor = app.person_with_role("aud", ServerRole::Auditor).await;
        callers.push((Caller::Auditor, auditor));
        Self {
            callers,
            ids,
            cursor,
            group,
        }
    }

    /// Requests one field as one caller and returns the canaries that the response contains.
    async fn execute(
        &self,
        kind: &str,
        who: Who,
        query: &str,
        (caller, person): &(Caller, Person),
    ) -> BTreeSet<&'static str> {
        let about = format!("{caller:?}: {query}");
        let nothing = [String::new(), String::new()];
        let [there, missing] = self.ids.get(kind).unwrap_or(&nothing);
        let response = raw_response(person, query, json!({ "id": there })).await;
        for (word, readers) in CANARIES {
            let may_be_there = !response.contains(word) || caller.may_see(readers);
            assert!(may_be_there, "{about} returned {word}");
        }
        // An object that others see too is not null for them; only the field is.
        let object = match (kind, who) {
            ("User", _) => Who::SignedIn,
            (_, Who::Owner) => Who::Inside,
            _ => who,
        };
        if caller.may_see(object) {
            let body: Value = serde_json::from_str(response.split_once('\n').unwrap().1).unwrap();
            assert!(body.get("errors").is_none(), "{about}: {response}");
            let node = body["data"].as_object().unwrap().values().next().unwrap();
            assert!(!node.is_null(), "{about}: {response}");
            if !caller.may_see(who) {
                let values = node.as_object().unwrap().values();
                assert!(
                    values.into_iter().all(Value::is_null),
                    "{about}: {response}"
                );
            }
        } else {
            let other = raw_response(person, query, json!({ "id": missing })).await;
            assert_eq!(response, other, "{about}");
        }
        let shown = CANARIES.iter().map(|(word, _)| *word);
        shown.filter(|word| response.contains(word)).collect()
    }

    /// Every root field that takes the id of a hidden object returns the same as for a missing one, and changes
    /// nothing.
    async fn hidden_objects_look_missing(&self, types: &HashMap<String, TypeDefinition>) {
        let member = &self.callers[5].1;
        let before = member
            .raw_response(EVERYTHING, json!({ "id": self.group }))
            .await;
        for (caller, person) in &self.callers {
            for (root, operation) in [("Query", "query"), ("Mutation", "mutation")] {
                let TypeKind::Object(object) = &types[root].kind else {
                    panic!("{root} is an object");
                };
                for field in &object.fields {
                    let plain = call(types, &field.node);
                    let Some(hidden) = hidden_in(&field.node.name.node, &plain) else {
                        continue;
                    };
                    if caller.may_see(hidden) {
                        continue;
                    }
                    let [there, missing] = [0, 1]
                        .map(|which| format!("{operation} {{ {} }}", self.filled(&plain, which)));
                    let response = raw_response(person, &there, Value::Null).await;
                    let other = raw_response(person, &missing, Value::Null).await;
                    assert_eq!(response, other, "{caller:?}: {there}");
                    assert!(!response.contains("canary"), "{caller:?}: {there}");
                }
            }
        }
        let after = member
            .raw_response(EVERYTHING, json!({ "id": self.group }))
            .await;
        assert_eq!(before, after);
    }

    /// Returns the field's arguments with ids of the member's objects, or with missing ids.
    fn filled(&self, plain: &str, which: usize) -> String {
        let named = [
            ("conversationId", "Conversation"),
            ("messageId", "Message"),
            ("messageIds", "Message"),
            ("threadId", "Thread"),
            ("sessionIds", "Session"),
            ("ids", "Notification"),
            ("userId", "User"),
            ("userIds", "User"),
        ];
        let mut filled = plain.to_owned();
        for (argument, kind) in named {
            let id = &self.ids[kind][if kind == "User" { 0 } else { which }];
            for (open, close) in [("", ""), ("[", "]")] {
                let wanted = format!("{argument}: {open}\"anything\"{close}");
                filled = filled.replace(&wanted, &format!("{argument}: {open}\"{id}\"{close}"));
            }
        }
        let kind = match plain.split('(').next().unwrap() {
            "message" => "Message",
            "thread" => "Thread",
            _ => "Conversation",
        };
        filled.replace(
            "(id: \"anything\")",
            &format!("(id: \"{}\")", self.ids[kind][which]),
        )
    }

    /// A caller who is not a participant receives no event, not even one from the time when they were.
    async fn streams_stay_silent(&self, app: &TestApp) {
        const EVENTS: &str = "subscription($after: String) { events(after: $after) { __typename
            ... on MessageSentEvent { message { body } }
            ... on MessageEditedEvent { message { body } }
            ... on MessageDeletedEvent { messageId }
            ... on ThreadChangedEvent { thread { root { body } } }
            ... on ConversationJoinedEvent { conversation { title } }
            ... on ConversationChangedEvent { conversation { title topic } }
            ... on ParticipantChangedEvent { conversation { title } }
            ... on NotificationAddedEvent { notification { message { body } } } } }";
        let owner = &self.callers[7].1;
        owner.says(&self.group, "canary-body once more").await;
        for (caller, person) in &self.callers[3..5] {
            let after = if *caller == Caller::Removed {
                self.cursor.clone()
            } else {
                Value::Null
            };
            let variables = json!({ "after": after });
            let mut events = Subscription::open(app, person, EVENTS, variables).await;
            events.next().await;
            owner.says(&self.group, "canary-body and once more").await;
            person.creates_group(Some("the end"), &[]).await;
            loop {
                let event = events.next().await["events"].take();
                assert!(!event.to_string().contains("canary"), "{caller:?}: {event}");
                if event["conversation"]["title"] == "the end" {
                    break;
                }
            }
        }
    }
}

/// Returns who may see the object that the arguments of a field name; none if they name no hidden object.
fn hidden_in(name: &str, plain: &str) -> Option<Who> {
    let names = |argument: &str| plain.contains(&format!("{argument}: "));
    if names("sessionIds") || names("ids") && name.contains("Notifications") {
        return Some(Who::OwnerAlone);
    }
    let hidden = ["conversationId", "messageId", "messageIds", "threadId"];
    let by_id = ["conversation", "message", "thread"].contains(&name);
    (by_id || hidden.iter().any(|argument| names(argument))).then_some(Who::Inside)
}

/// The objects of the member that a stranger could try to change.
const EVERYTHING: &str = "query($id: ID!) {
    viewer { sessions(first: 50) { nodes { id } } notifications(first: 50) { nodes { id readAt } }
        unread { messages mentions notifications } }
    conversation(id: $id) { title topic participantCount
        viewerMembership { unreadCount mutedUntil isPinned isArchived }
        participants(first: 50) { nodes { id role } }
        messages(first: 50, includeReplies: true) { nodes { id body editedAt deletedAt } } } }";

/// The ids of the member's objects, except those of messages.
const IDS: &str = "query($id: ID!) { viewer { id preferences { id } unread { id }
        sessions { nodes { id } } notifications(first: 1) { nodes { id } } }
    conversation(id: $id) { viewerMembership { id participant { id } }
        messages(first: 100) { nodes { id kind } } } }";

/// Creates the member's objects, one of each type.
async fn objects(mem: &Person, ann: &Person, group: &str) -> HashMap<&'static str, [String; 2]> {
    let profile = json!({ "firstName": "canary-first", "lastName": "canary-last",
        "bio": "canary-bio", "phoneNumber": "+15550123456" });
    does(mem, "updateProfile", profile).await;
    let privacy = json!({ "profileVisibility": "CONTACTS", "phoneVisibility": "NOBODY" });
    does(mem, "updatePreferences", privacy).await;
    let new = json!({ "conversationId": group, "body": "canary-before @ann",
        "clientMessageId": "canary-key" });
    let sent = does(mem, "sendMessage", new).await;
    assert_eq!(sent["__typename"], "SendMessagePayload");
    let data = mem.execute(IDS, json!({ "id": group })).await;
    let messages = data["conversation"]["messages"]["nodes"]
        .as_array()
        .unwrap();
    let of_kind = |kind: &str| {
        let found = messages.iter().find(|message| message["kind"] == kind);
        text(&found.unwrap()["id"])
    };
    let (message, notice) = (of_kind("USER"), of_kind("NOTICE"));
    let edit =
        json!({ "messageId": message, "body": "canary-body @ann", "reason": "canary-reason" });
    does(mem, "editMessage", edit).await;
    ann.replies(group, &message, "canary-reply for @mem").await;
    let viewer = mem.execute(IDS, json!({ "id": group })).await["viewer"].take();
    let part = &data["conversation"]["viewerMembership"];
    let revisions =
        "query($id: ID!) { message(id: $id) { revisions { nodes { id } } thread { id } } }";
    let conversation = mem.execute(revisions, json!({ "id": message })).await["message"].take();
    let nothing = id::MessageId::mint().to_string();
    let found = [
        ("Conversation", group.to_owned()),
        ("Participant", text(&part["participant"]["id"])),
        ("Membership", text(&part["id"])),
        ("Message", message),
        ("Notice", notice),
        (
            "MessageRevision",
            text(&conversation["revisions"]["nodes"][0]["id"]),
        ),
        ("Thread", text(&conversation["thread"]["id"])),
        ("User", mem.id.clone()),
        ("Viewer", text(&viewer["id"])),
        ("AccountDeletionPreview", text(&viewer["id"])),
        ("Preferences", text(&viewer["preferences"]["id"])),
        ("UnreadTotals", text(&viewer["unread"]["id"])),
        ("Session", text(&viewer["sessions"]["nodes"][0]["id"])),
        (
            "Notification",
            text(&viewer["notifications"]["nodes"][0]["id"]),
        ),
    ];
    let of_nothing = |id: &str| id[..4].to_owned() + &nothing[4..];
    found
        .into_iter()
        .map(|(kind, id)| (kind, [id.clone(), of_nothing(&id)]))
        .collect()
}

/// Performs a change as a user who may do so.
async fn does(person: &Person, name: &str, input: Value) -> Value {
    let (first, rest) = name.split_at(1);
    let kind = format!("{}{rest}Input", first.to_uppercase());
    let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ __typename }} }}");
    let mut data = person.execute(&query, json!({ "input": input })).await;
    data[name].take()
}

/// Returns the response without what differs between requests.
async fn raw_response(person: &Person, query: &str, variables: Value) -> String {
    let response = person.raw_response(query, variables).await;
    let request = Regex::new(r#""requestId":"[^"]*""#).unwrap();
    request
        .replace_all(&response, r#""requestId":null"#)
        .into_owned()
}
