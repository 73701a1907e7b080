//! Random operations of users: each is sent through HTTP, and enters the model when it is acknowledged.

use std::cell::RefCell;

use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::model::{Known, Message, Place, mutates};
use crate::support::person::{PASSWORD, Person, text};

const SENT: &str = "message { id } wasDuplicate";
const READ: &str = "markedCount";

/// A user who performs random operations.
pub(super) struct Actor<'a> {
    pub(super) person: Person,
    pub(super) random: SmallRng,
    pub(super) known: &'a RefCell<Known>,
    /// Ids and names of all users, also deleted ones.
    pub(super) all_users: &'a [(String, String)],
    /// The text of their profile.
    pub(super) bio: Option<String>,
    pub(super) is_gone: bool,
}

impl Actor<'_> {
    /// Performs this number of operations in sequence.
    pub(super) async fn acts(&mut self, count: usize) {
        for _ in 0..count {
            let act = self.random.random_range(0..100);
            self.acts_once(act).await;
        }
    }

    async fn acts_once(&mut self, act: u32) {
        if self.is_gone {
            return;
        }
        match act {
            0..12 => self.sends_message(false).await,
            12..30 => self.sends_message(true).await,
            30..40 => self.edits().await,
            40..46 => self.deletes().await,
            46..50 => self.adds().await,
            50 => self.shows_up().await,
            51..54 => self.removes().await,
            54..56 => self.leaves().await,
            56..60 => self.changes_role().await,
            60..64 => self.marks_conversations().await,
            64..68 => self.marks_messages().await,
            68..72 => self.marks_thread().await,
            72..76 => self.goes_back().await,
            76..81 => self.follows().await,
            81..85 => self.settles().await,
            85..88 => self.renames().await,
            88..91 => self.introduces().await,
            91..93 => drop(self.creates_group().await),
            93..95 => self.opens().await,
            95..98 => self.tidies().await,
            98 => self.signs_in_elsewhere().await,
            _ => self.closes().await,
        }
    }

    /// Sends a mutation, and returns its payload if it succeeds.
    pub(super) async fn does(&self, name: &str, input: Value, selection: &str) -> Option<Value> {
        let response = mutates(&self.person, name, &input, selection).await;
        self.known.borrow_mut().outcome(name, response)
    }

    fn word(&self) -> String {
        self.known.borrow_mut().word()
    }

    fn place(&mut self) -> String {
        let known = self.known.borrow();
        known.places.choose(&mut self.random).unwrap().id.clone()
    }

    fn another(&mut self) -> (String, String) {
        self.all_users.choose(&mut self.random).unwrap().clone()
    }

    /// Returns mostly one of the newest, so that operations of several users concern the same conversation.
    fn message(&mut self, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        let known = self.known.borrow();
        let all: Vec<_> = known.messages.iter().filter(|one| wanted(one)).collect();
        let newest = all.len().saturating_sub(12);
        let some = if self.random.random_bool(0.8) {
            &all[newest..]
        } else {
            &all[..]
        };
        some.choose(&mut self.random).copied().cloned()
    }

    /// Sends a message, and sometimes sends it twice concurrently with the same key.
    pub(super) async fn sends_message(&mut self, is_reply: bool) {
        let parent = self.message(|_| true).filter(|_| is_reply);
        let place = match &parent {
            Some(parent) => parent.place.clone(),
            None => self.place(),
        };
        let (word, (_, name)) = (self.word(), self.another());
        let priority = ["NORMAL", "IMPORTANT", "URGENT"].choose(&mut self.random);
        let input = json!({
            "conversationId": place,
            "parentId": parent.map(|parent| parent.id),
            "body": format!("{word} for @{name}"),
            "clientMessageId": word.replace("canary", "key"),
            "priority": priority,
        });
        let again = self.random.random_bool(0.2);
        let (once, twice) = tokio::join!(self.does("sendMessage", input.clone(), SENT), async {
            if again {
                self.does("sendMessage", input.clone(), SENT).await
            } else {
                None
            }
        });
        let responses: Vec<_> = once.into_iter().chain(twice).collect();
        let mut known = self.known.borrow_mut();
        let Some(first) = responses.first() else {
            return known.never.push(word);
        };
        let id = text(&first["message"]["id"]);
        assert!(
            responses
                .iter()
                .all(|one| one["message"]["id"] == json!(id))
        );
        let new = responses.iter().filter(|one| one["wasDuplicate"] == false);
        assert_eq!(new.count(), 1, "{responses:?}");
        known.messages.push(Message {
            id,
            place,
            sender: self.person.id.clone(),
            is_reply: !input["parentId"].is_null(),
            words: vec![word],
            is_deleted: false,
        });
    }

    pub(super) async fn edits(&mut self) {
        let own = self.person.id.clone();
        let Some(message) = self.message(|one| one.sender == own) else {
            return;
        };
        let (word, reason, (_, name)) = (self.word(), self.word(), self.another());
        let body = format!("{word} for @{name}");
        let input = json!({ "messageId": message.id, "body": body, "reason": reason });
        let done = self.does("editMessage", input, "message { id }").await;
        let mut known = self.known.borrow_mut();
        if done.is_none() {
            return known.never.extend([word, reason]);
        }
        known.count("edited", &message.id);
        let place = known.messages.iter_mut().find(|one| one.id == message.id);
        place.unwrap().words.extend([word, reason]);
    }

    pub(super) async fn deletes(&mut self) {
        self.deletes_one(|_| true).await;
    }

    /// Deletes a message whose sender is anonymous, if the user is a moderator there.
    pub(super) async fn deletes_anonymous(&mut self) {
        let departed = self.known.borrow().departed.clone();
        let stayed = |(user, takes_along): &(String, bool)| (!takes_along).then(|| user.clone());
        let users: Vec<String> = departed.iter().filter_map(stayed).collect();
        self.deletes_one(|one| users.contains(&one.sender)).await;
    }

    async fn deletes_one(&mut self, wanted: impl Fn(&Message) -> bool) {
        let Some(message) = self.message(|one| !one.is_deleted && wanted(one)) else {
            return;
        };
        let input = json!({ "messageId": message.id });
        let done = self.does("deleteMessage", input, "deletedMessageId").await;
        let mut known = self.known.borrow_mut();
        if done.is_some() {
            let place = known.messages.iter_mut().find(|one| one.id == message.id);
            let place = place.unwrap();
            assert!(!place.is_deleted, "deleted twice");
            place.is_deleted = true;
        }
    }

    pub(super) async fn adds(&mut self) {
        let (place, (one, _), (other, _)) = (self.place(), self.another(), self.another());
        let role = ["OBSERVER", "MEMBER", "MODERATOR"].choose(&mut self.random);
        let input = json!({ "conversationId": place, "userIds": [one, other], "role": role });
        let done = self
            .does("addParticipants", input, "participants { id }")
            .await;
        let added = done.map_or(0, |done| done["participants"].as_array().unwrap().len());
        if added > 0 {
            self.known.borrow_mut().count("noticed", &place);
        }
    }

    pub(super) async fn removes(&mut self) {
        let (place, (user, _)) = (self.place(), self.another());
        let input = json!({ "conversationId": place, "userId": user });
        let done = self.does("removeParticipant", input, "removedParticipantId");
        if done.await.is_some() {
            self.known.borrow_mut().count("noticed", &place);
        }
    }

    pub(super) async fn leaves(&mut self) {
        let place = self.place();
        let input = json!({ "conversationId": place });
        let done = self.does("leaveConversation", input, "leftConversationId");
        if done.await.is_some() {
            self.known.borrow_mut().count("noticed", &place);
        }
    }

    async fn changes_role(&mut self) {
        let (place, (user, _)) = (self.place(), self.another());
        let roles = ["OBSERVER", "MEMBER", "MODERATOR", "OWNER"];
        let role = roles.choose(&mut self.random);
        let input = json!({ "conversationId": place, "userId": user, "role": role });
        self.does("changeParticipantRole", input, "participant { role }")
            .await;
    }

    fn is_marked(&self, done: Option<Value>) {
        if done.is_some_and(|done| done["markedCount"].as_i64() > Some(0)) {
            let mut known = self.known.borrow_mut();
            known.count("marked", &self.person.id);
        }
    }

    pub(super) async fn marks_conversations(&mut self) {
        let place = self.place();
        let up_to = self.message(|one| one.place == place);
        let up_to = up_to.filter(|_| self.random.random_bool(0.5));
        let one = json!({ "conversationId": place, "upToMessageId": up_to.map(|one| one.id) });
        let input = json!({ "conversations": [one] });
        self.is_marked(self.does("markConversationsRead", input, READ).await);
    }

    pub(super) async fn marks_messages(&mut self) {
        let ids: Vec<_> = (0..3)
            .filter_map(|_| Some(self.message(|_| true)?.id))
            .collect();
        let input = json!({ "messageIds": ids });
        self.is_marked(self.does("markMessagesRead", input, READ).await);
    }

    pub(super) async fn marks_thread(&mut self) {
        let Some(thread) = self.thread() else { return };
        let input = json!({ "threadId": thread });
        self.is_marked(self.does("markThreadRead", input, READ).await);
    }

    pub(super) async fn goes_back(&mut self) {
        let Some(message) = self.message(|_| true) else {
            return;
        };
        let input = json!({ "messageId": message.id });
        let done = self.does("markUnreadFrom", input, "message { id }").await;
        if done.is_some() {
            let mut known = self.known.borrow_mut();
            known.count("marked", &self.person.id);
        }
    }

    /// Returns the id of a thread, which differs from its root's only in the prefix.
    fn thread(&mut self) -> Option<String> {
        let root = self.message(|one| !one.is_reply)?;
        Some(root.id.replace("msg_", "thr_"))
    }

    pub(super) async fn follows(&mut self) {
        let Some(thread) = self.thread() else { return };
        let name = if self.random.random() {
            "followThread"
        } else {
            "unfollowThread"
        };
        self.does(name, json!({ "threadId": thread }), "thread { id }")
            .await;
    }

    /// Returns a new time until which a conversation is muted, so that each call changes it.
    pub(super) async fn settles(&mut self) {
        let place = self.place();
        let level = ["ALL", "ALL", "MENTIONS", "NONE"].choose(&mut self.random);
        let (years, days) = (
            self.random.random_range(1..9),
            self.random.random_range(10..28),
        );
        let seconds = self.random.random_range(10..59);
        let until = format!("203{years}-0{years}-{days}T1{years}:00:{seconds}.{days}Z");
        let input = json!({
            "conversationId": place,
            "isPinned": self.random.random_bool(0.5),
            "isArchived": self.random.random_bool(0.3),
            "notificationLevel": level,
            "mutedUntil": until,
        });
        let done = self.does("updateConversationSettings", input, "conversation { id }");
        if done.await.is_some() {
            let key = format!("{} {place}", self.person.id);
            self.known.borrow_mut().count("settled", &key);
        }
    }

    pub(super) async fn renames(&mut self) {
        let (place, title, topic) = (self.place(), self.word(), self.word());
        let with_topic = self.random.random_bool(0.3);
        let mut input = json!({ "conversationId": place, "title": title });
        if with_topic {
            input["topic"] = json!(topic);
        }
        let done = self.does("updateConversation", input, "conversation { id }");
        let done = done.await.is_some();
        let mut known = self.known.borrow_mut();
        if !done {
            return known.never.extend([title, topic]);
        }
        known.count("changed", &place);
        known.count("noticed", &place);
        if with_topic {
            known.count("noticed", &place);
        }
        let place = known.places.iter_mut().find(|known| known.id == place);
        place.unwrap().words.extend([title, topic]);
    }

    pub(super) async fn introduces(&mut self) {
        let bio = self.word();
        let name = format!("{} {}", self.person.username, self.random.random::<u16>());
        let input = json!({ "bio": bio, "displayName": name });
        let done = self.does("updateProfile", input, "viewer { id }").await;
        let mut known = self.known.borrow_mut();
        if done.is_none() {
            return known.never.push(bio);
        }
        known.count("introduced", &self.person.id);
        known.never.extend(self.bio.replace(bio));
    }

    /// Sets a status and starts to type.
    pub(super) async fn shows_up(&mut self) {
        let input = json!({ "status": "BUSY", "statusText": "at the loom" });
        self.does("setPresence", input, "user { id }").await;
        let input = json!({ "conversationId": self.place(), "isTyping": true });
        self.does("setTyping", input, "expiresAt").await;
    }

    /// Creates a group, possibly without other participants.
    pub(super) async fn creates_group(&mut self) -> Option<String> {
        let (title, (one, _), (other, _)) = (self.word(), self.another(), self.another());
        let from_joining = self.random.random_bool(0.5);
        let input = json!({
            "title": title,
            "participantIds": [one, other],
            "historyVisibility": if from_joining { "FROM_JOINING" } else { "FROM_START" },
        });
        self.founds_this(input, title, from_joining).await
    }

    pub(super) async fn founds_this(
        &self,
        input: Value,
        title: String,
        from_joining: bool,
    ) -> Option<String> {
        let done = self.does("createConversation", input, "conversation { id }");
        let done = done.await;
        let mut known = self.known.borrow_mut();
        let Some(done) = done else {
            known.never.push(title);
            return None;
        };
        let id = text(&done["conversation"]["id"]);
        known.count("noticed", &id);
        known.place(Place {
            id: id.clone(),
            is_group: true,
            from_joining,
            words: vec![title],
        });
        Some(id)
    }

    pub(super) async fn opens(&mut self) {
        let mut users = vec![self.another().0];
        if self.random.random_bool(0.3) {
            users.push(self.another().0);
        }
        let input = json!({ "userIds": users });
        let opened = self.does("openDirectConversation", input, "conversation { id }");
        if let Some(done) = opened.await {
            // It may be deleted with another user's account.
            if let Some(id) = done["conversation"]["id"].as_str() {
                self.known.borrow_mut().place(Place {
                    id: id.to_owned(),
                    is_group: false,
                    from_joining: false,
                    words: vec![],
                });
            }
        }
    }

    /// Reads and dismisses notifications.
    pub(super) async fn tidies(&mut self) {
        const LIST: &str = "{ viewer { notifications(first: 6) { nodes { id createdAt } } } }";
        let data = self.person.execute(LIST, Value::Null).await;
        let nodes = &data["viewer"]["notifications"]["nodes"];
        let ids: Vec<_> = nodes
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].clone())
            .collect();
        let which = match self.random.random_range(0..5) {
            0 if !ids.is_empty() => json!({ "until": nodes[0]["createdAt"] }),
            _ => json!({ "ids": ids }),
        };
        let input = json!({ "notifications": which });
        if self.random.random() {
            self.does("markNotificationsRead", input, READ).await;
        } else {
            self.does("dismissNotifications", input, "dismissedNotificationIds")
                .await;
        }
    }

    /// Signs in on another device, and ends that session in a random way.
    pub(super) async fn signs_in_elsewhere(&mut self) {
        const AUTH: &str = "auth { accessToken refreshToken viewer {
            sessions(first: 1) { nodes { id } } } }";
        let credentials = json!({ "login": self.person.username, "password": PASSWORD });
        let Some(done) = self.does("signIn", credentials, AUTH).await else {
            return;
        };
        let session = text(&done["auth"]["viewer"]["sessions"]["nodes"][0]["id"]);
        let refresh = json!({ "refreshToken": done["auth"]["refreshToken"] });
        let renewed = self.does("refreshSession", refresh, AUTH).await.unwrap();
        let here = self.person.token.clone();
        let (name, input, ended) = match self.random.random_range(0..3) {
            0 => ("signOut", Value::Null, "endedSessionId"),
            1 => (
                "revokeSessions",
                json!({ "sessionIds": [session] }),
                "revokedSessionIds",
            ),
            _ => ("revokeOtherSessions", Value::Null, "revokedSessionIds"),
        };
        if name == "signOut" {
            self.person.token = Some(text(&renewed["auth"]["accessToken"]));
        }
        let done = self.does(name, input, ended).await.unwrap();
        self.person.token = here;
        let mut known = self.known.borrow_mut();
        match &done[ended] {
            Value::Array(ids) => ids.iter().for_each(|id| known.count("ended", &text(id))),
            id => known.count("ended", &text(id)),
        }
    }

    /// Deletes a group that the user owns.
    pub(super) async fn closes(&mut self) {
        let input = json!({ "conversationId": self.place() });
        self.does("deleteConversation", input, "deletedConversationId")
            .await;
    }

    /// Deletes the account, after handing over the groups that it owns.
    pub(super) async fn departs(&mut self, disposal: &str) {
        const OWNED: &str = "{ viewer { conversations(first: 100, filter: { isArchived: null }) {
            nodes { id viewerMembership { canDelete }
                participants(first: 2) { nodes { user { id } } } } } } }";
        while !self.is_gone {
            let data = self.person.execute(OWNED, Value::Null).await;
            let places = &data["viewer"]["conversations"]["nodes"];
            for place in places.as_array().unwrap() {
                if place["viewerMembership"]["canDelete"] != true {
                    continue;
                }
                let people = place["participants"]["nodes"].as_array().unwrap();
                let own = json!(self.person.id);
                let heir = people.iter().find(|one| one["user"]["id"] != own);
                let (name, mut input, selection) = match heir {
                    Some(_) => ("changeParticipantRole", json!({}), "participant { id }"),
                    None => ("deleteConversation", json!({}), "deletedConversationId"),
                };
                input["conversationId"] = place["id"].clone();
                if let Some(heir) = heir {
                    input["userId"] = heir["user"]["id"].clone();
                    input["role"] = json!("OWNER");
                }
                self.does(name, input, selection).await;
            }
            let input = json!({ "confirmUsername": self.person.username, "password": PASSWORD,
                "messages": disposal });
            let gone = self.does("deleteAccount", input, "deletedUserId").await;
            self.is_gone = gone.is_some();
        }
        let mut known = self.known.borrow_mut();
        known.never.extend(self.bio.take());
        let takes_along = disposal == "DELETE";
        known.departed.push((self.person.id.clone(), takes_along));
    }
}
