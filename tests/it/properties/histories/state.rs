//! The state that a client keeps: every object that it loads, by id, and which of them later events name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    person::{Person, text},
    socket::Subscription,
};

/// The selection of a message.
const MESSAGE: &str = "id body bodyHtml editedAt deletedAt kind priority sequence depth replyCount
    descendantCount clientMessageId mentionsViewer viewerHasRead viewerCanReply viewerCanEdit
    viewerCanDelete sender { id } receiver { id } parent { id } thread { id } mentions { id }
    conversation { id } notice { type value }
    revisions(first: 5) { nodes { id body reason editor { id } } }";

const VIEWER: &str = "{ eventCursor viewer { id email hasPassword role
    preferences { id locale timeZone notificationLevel isSearchable profileVisibility phoneVisibility
        sharesReadReceipts }
    unread { id messages mentions conversations threads notifications }
    unreadMessages(first: 100) { totalCount nodes { id body } }
    conversations(first: 100, filter: { isArchived: null }) { nodes { id } } } }";

const CONVERSATION: &str = "query($id: ID!) { conversation(id: $id) {
    id kind title topic displayTitle historyVisibility createdBy { id } lastActivityAt
    lastMessage { id } participantCount
    viewerMembership { id isPinned isArchived mutedUntil notificationLevel unreadCount mentionCount
        firstUnreadMessage { id } lastReadMessage { id } canSend canModerate canLeave canUpdate
        canDelete canAddParticipants canRemoveParticipants canChangeRoles }
    participants(first: 50) { nodes { id role joinedAt addedBy { id } lastReadMessage { id }
        user { id username displayName bio firstName lastName phoneNumber
            viewerCanMessage viewerConversation { id } } } }
    threads(first: 50) { nodes { id replyCount lastActivityAt lastReply { id } viewerIsFollowing
        viewerUnreadCount viewerFirstUnreadMessage { id } viewerLastReadMessage { id }
        participants(first: 10) { nodes { id } } } } } }";

const NOTIFICATIONS: &str = "query($after: String) { viewer {
    notifications(first: 100, after: $after) { pageInfo { hasNextPage endCursor }
        nodes { id type isRead actor { id } message { id } conversation { id } } } } }";

/// Any object, with its conversation. The scope of a message is its thread, or else its conversation.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) value: Value,
    place: Option<String>,
    scope: Option<String>,
}

/// Everything that one user may load.
pub(super) struct State {
    /// The cursor of the stream.
    pub(super) cursor: Value,
    /// Every object.
    pub(super) objects: BTreeMap<String, Kept>,
    /// The text of every response.
    pub(super) text: String,
}

impl State {
    /// Loads all objects.
    pub(super) async fn load(person: &Person) -> Self {
        let mut data = person.execute(VIEWER, Value::Null).await;
        let mut state = Self {
            cursor: data["eventCursor"].take(),
            objects: BTreeMap::new(),
            text: data.to_string(),
        };
        let viewer = &mut data["viewer"];
        let places = viewer["conversations"].take();
        let (unread, list) = (viewer["unread"].take(), viewer["unreadMessages"].take());
        state.keep(unread, None, None);
        let list = json!({ "id": "unread", "list": list });
        state.keep(list, None, None);
        state.keep(viewer.take(), None, None);
        for mut notification in state
            .pages(person, NOTIFICATIONS, json!({}), "viewer")
            .await
        {
            let place = notification["conversation"]["id"].take();
            state.keep(notification, place.as_str(), None);
        }
        for place in nodes(places["nodes"].clone()) {
            state.load_conversation(person, &text(&place["id"])).await;
        }
        state
    }

    async fn load_conversation(&mut self, person: &Person, id: &str) {
        let mut data = person.execute(CONVERSATION, json!({ "id": id })).await;
        self.text.push_str(&data.to_string());
        let conversation = &mut data["conversation"];
        for thread in nodes(conversation["threads"].take()["nodes"].take()) {
            let scope = text(&thread["id"]);
            self.keep(thread, Some(id), Some(&scope));
        }
        for participant in conversation["participants"]["nodes"]
            .as_array_mut()
            .unwrap()
        {
            let user = participant["user"].take();
            participant["user"] = user["id"].clone();
            self.keep(user, None, None);
        }
        self.keep(conversation.take(), Some(id), None);
        let query = format!(
            "query($id: ID!, $after: String) {{ conversation(id: $id) {{
                messages(first: 40, after: $after, includeReplies: true) {{
                    nodes {{ {MESSAGE} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
        );
        for message in self
            .pages(person, &query, json!({ "id": id }), "conversation")
            .await
        {
            let scope = match &message["thread"]["id"] {
                Value::String(thread) if message["depth"] != 0 => thread.clone(),
                _ => id.to_owned(),
            };
            self.keep(message, Some(id), Some(&scope));
        }
    }

    /// Returns the nodes of all pages of the only list in an object.
    async fn pages(
        &mut self,
        person: &Person,
        query: &str,
        mut variables: Value,
        owner: &str,
    ) -> Vec<Value> {
        let mut all = vec![];
        loop {
            let mut data = person.execute(query, variables.clone()).await;
            self.text.push_str(&data.to_string());
            let owner = data[owner].as_object_mut().unwrap();
            let page = owner.values_mut().next().unwrap();
            all.extend(nodes(page["nodes"].take()));
            if page["pageInfo"]["hasNextPage"] == false {
                return all;
            }
            variables["after"] = page["pageInfo"]["endCursor"].take();
        }
    }

    fn keep(&mut self, value: Value, place: Option<&str>, scope: Option<&str>) {
        let kept = Kept {
            place: place.map(str::to_owned),
            scope: scope.map(str::to_owned),
            value,
        };
        self.objects.insert(text(&kept.value["id"]), kept);
    }
}

fn nodes(list: Value) -> Vec<Value> {
    match list {
        Value::Array(nodes) => nodes,
        other => panic!("not a list: {other}"),
    }
}

/// Returns the events after a cursor, up to the one for joining this conversation.
pub(super) async fn events(app: &TestApp, who: &Person, cursor: &Value, last: &str) -> Vec<Value> {
    let query = format!(
        "subscription($after: String) {{ events(after: $after) {{ __typename cursor
            ... on StreamOpenedEvent {{ outcome }}
            ... on MessageSentEvent {{ message {{ {MESSAGE} }} }}
            ... on MessageEditedEvent {{ message {{ {MESSAGE} }} }}
            ... on MessageDeletedEvent {{ messageId conversation {{ id }} marker: message {{ id body }} }}
            ... on ThreadChangedEvent {{ thread {{ id root {{ id }} conversation {{ id }} }} }}
            ... on ConversationJoinedEvent {{ conversation {{ id title topic }} }}
            ... on ConversationChangedEvent {{ conversation {{ id title topic }} }}
            ... on ConversationLeftEvent {{ conversationId }}
            ... on ParticipantChangedEvent {{ conversation {{ id }} user {{ id }}
                participant {{ role }} }}
            ... on ReadPositionChangedEvent {{ conversation {{ id }} scope: thread {{ id }} user {{ id }}
                readUpTo {{ id body }} }}
            ... on NotificationAddedEvent {{ notification {{ id message {{ id body }} }} }}
            ... on NotificationsChangedEvent {{ notificationIds }}
            ... on UserChangedEvent {{ user {{ id displayName bio }} }} }} }}"
    );
    let mut stream = Subscription::open(app, who, &query, json!({ "after": cursor })).await;
    let opened = stream.next().await;
    assert_eq!(opened["events"]["outcome"], "RESUMED");
    let mut received = vec![];
    loop {
        let event = stream.next().await["events"].take();
        let is_last =
            event["__typename"] == "ConversationJoinedEvent" && event["conversation"]["id"] == last;
        received.push(event);
        if is_last {
            return received;
        }
    }
}

/// The objects that a client loads again after the events.
#[derive(Default, Debug)]
pub(super) struct Named {
    ids: BTreeSet<String>,
    /// The threads and timelines.
    scopes: BTreeSet<String>,
    /// Complete conversations.
    places: BTreeSet<String>,
}

impl Named {
    pub(super) fn by(events: &[Value], viewer: &Person) -> Self {
        let mut named = Self::default();
        for event in events {
            named.add(event, viewer);
        }
        named
    }

    fn add(&mut self, event: &Value, viewer: &Person) {
        let id = |value: &Value| text(&value["id"]);
        let kind = text(&event["__typename"]);
        match kind.as_str() {
            "MessageSentEvent" | "MessageEditedEvent" => {
                let message = &event["message"];
                self.ids.extend([id(message), id(&message["conversation"])]);
            }
            "MessageDeletedEvent" => {
                let message = text(&event["messageId"]);
                // A thread is deleted with its root.
                self.ids.insert(message.replace("msg_", "thr_"));
                self.ids.extend([message, id(&event["conversation"])]);
            }
            "ThreadChangedEvent" => {
                let thread = &event["thread"];
                self.ids.insert(id(&thread["root"]));
                self.scopes.insert(id(thread));
            }
            "ConversationJoinedEvent" => {
                self.places.insert(id(&event["conversation"]));
            }
            "ConversationLeftEvent" => {
                self.places.insert(text(&event["conversationId"]));
            }
            "ConversationChangedEvent" => {
                self.ids.insert(id(&event["conversation"]));
            }
            "ParticipantChangedEvent" => {
                let (place, user) = (id(&event["conversation"]), id(&event["user"]));
                if user == viewer.id {
                    // Each message contains the viewer's permissions.
                    self.places.insert(place.clone());
                }
                self.ids.extend([place, user]);
            }
            "ReadPositionChangedEvent" => {
                let place = id(&event["conversation"]);
                if id(&event["user"]) == viewer.id {
                    let thread = event["scope"]["id"].as_str().map(str::to_owned);
                    self.scopes.insert(thread.unwrap_or_else(|| place.clone()));
                }
                self.ids.insert(place);
            }
            "NotificationAddedEvent" => {
                self.ids.insert(id(&event["notification"]));
            }
            "NotificationsChangedEvent" => {
                let ids = event["notificationIds"].as_array().unwrap();
                self.ids.extend(ids.iter().map(text));
            }
            "UserChangedEvent" => {
                self.ids.insert(id(&event["user"]));
            }
            // Clients load the list of blocked users again. Ephemeral events are sent to subscribers and not stored.
            "ViewerChangedEvent" | "PresenceChangedEvent" | "TypingChangedEvent" => {}
            other => panic!("{other} is new here"),
        }
    }

    fn allows(&self, id: &str, kept: &Kept) -> bool {
        let place = kept.place.as_deref().unwrap_or_default();
        let scope = kept.scope.as_deref().unwrap_or_default();
        self.ids.contains(id) || self.places.contains(place) || self.scopes.contains(scope)
    }
}

/// An event between two states names every difference between them. A deleted account is announced in its
/// conversations, and not for each object that contains its name.
pub(super) fn events_describe_every_change(
    old: &State,
    new: &State,
    named: &Named,
    viewer: &Person,
    departed: &[(String, bool)],
) {
    let ids: BTreeSet<_> = old.objects.keys().chain(new.objects.keys()).collect();
    let above = above(&named.ids, &[old, new]);
    let own = text(&json!(viewer.id));
    for id in ids {
        let (before, after) = (old.objects.get(id), new.objects.get(id));
        let of =
            |kept: Option<&Kept>| kept.map_or(Value::Null, |kept| without(&kept.value, departed));
        if of(before) == of(after) {
            continue;
        }
        // Any event may change unread counts, and the viewer's own row changes with the profile.
        let any = id.starts_with("unr") && (named.any() || before.is_none());
        let profile = id.starts_with("vwr_") && named.ids.contains(&own);
        let is_named = before
            .into_iter()
            .chain(after)
            .any(|kept| named.allows(id, kept) || named.explains(id, kept))
            || above.contains(id);
        assert!(
            any || profile || is_named,
            "no event named {} the change of {id}: {before:#?} became {after:#?}; named: {named:#?}",
            viewer.username
        );
    }
}

/// The ancestors of these messages, as far as the states contain them: a reply changes their counts, also for a user
/// who joined later and does not see the thread.
fn above(ids: &BTreeSet<String>, states: &[&State]) -> BTreeSet<String> {
    let parent = |id: &String| {
        let mut found = states.iter().filter_map(|state| state.objects.get(id));
        found.find_map(|kept| kept.value["parent"]["id"].as_str().map(str::to_owned))
    };
    let mut above = BTreeSet::new();
    for id in ids {
        let mut next = parent(id);
        while let Some(id) = next {
            next = parent(&id);
            above.insert(id);
        }
    }
    above
}

/// Returns the value without the names of these users.
fn without(value: &Value, departed: &[(String, bool)]) -> Value {
    match value {
        Value::Object(fields) => {
            let is_gone = |(user, _): &(String, bool)| fields.get("id") == Some(&json!(user));
            if departed.iter().any(is_gone) {
                return Value::Null;
            }
            let fields = fields.iter();
            fields
                .map(|(name, value)| (name.clone(), without(value, departed)))
                .collect()
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| without(item, departed));
            items.filter(|item| !item.is_null()).collect()
        }
        other => other.clone(),
    }
}

impl Named {
    fn any(&self) -> bool {
        !(self.ids.is_empty() && self.places.is_empty() && self.scopes.is_empty())
    }

    /// Users become visible, hidden and renamed with the conversations that they are in.
    fn explains(&self, id: &str, kept: &Kept) -> bool {
        if id.starts_with("usr_") {
            return !self.places.is_empty();
        }
        let people = kept.value["participants"]["nodes"].as_array();
        people.is_some_and(|people| {
            let mut users = people.iter().filter_map(|one| one["user"].as_str());
            users.any(|user| self.ids.contains(user))
        })
    }
}
