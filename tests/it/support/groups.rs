//! What people do with groups, as a client would ask for it.

use serde_json::{Value, json};

use super::person::{Person, text};

pub(crate) const ADD: &str = "mutation($input: AddParticipantsInput!) {
    addParticipants(input: $input) {
        conversation { participantCount }
        participants { id role joinedAt user { username } addedBy { username } } } }";
pub(crate) const REMOVE: &str = "mutation($input: RemoveParticipantInput!) {
    removeParticipant(input: $input) {
        removedParticipantId conversation { participantCount } } }";
pub(crate) const CHANGE_ROLE: &str = "mutation($input: ChangeParticipantRoleInput!) {
    changeParticipantRole(input: $input) { participant { role } } }";
pub(crate) const LEAVE: &str = "mutation($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { leftConversationId } }";

/// People who found groups and come and go. Every call must succeed.
pub(crate) trait Groups {
    /// A new group with these others; its id.
    async fn founds(&self, title: Option<&str>, others: &[&Person]) -> String;
    /// Somebody joins with this role.
    async fn adds(&self, group: &str, other: &Person, role: &str) -> Value;
    /// Somebody is removed.
    async fn removes(&self, group: &str, other: &Person) -> Value;
    /// Somebody has another role.
    async fn makes(&self, group: &str, other: &Person, role: &str);
    /// They are gone themselves.
    async fn leaves(&self, group: &str);
}

impl Groups for Person {
    async fn founds(&self, title: Option<&str>, others: &[&Person]) -> String {
        let create = "mutation($input: CreateConversationInput!) {
            createConversation(input: $input) { conversation { id } } }";
        let ids: Vec<_> = others.iter().map(|other| &other.id).collect();
        let input = json!({ "title": title, "participantIds": ids });
        let data = self.asks(create, json!({ "input": input })).await;
        text(&data["createConversation"]["conversation"]["id"])
    }

    async fn adds(&self, group: &str, other: &Person, role: &str) -> Value {
        let input = json!({ "conversationId": group, "userIds": [other.id], "role": role });
        let mut data = self.asks(ADD, json!({ "input": input })).await;
        data["addParticipants"].take()
    }

    async fn removes(&self, group: &str, other: &Person) -> Value {
        let input = json!({ "conversationId": group, "userId": other.id });
        let mut data = self.asks(REMOVE, json!({ "input": input })).await;
        data["removeParticipant"].take()
    }

    async fn makes(&self, group: &str, other: &Person, role: &str) {
        let input = json!({ "conversationId": group, "userId": other.id, "role": role });
        let data = self.asks(CHANGE_ROLE, json!({ "input": input })).await;
        assert_eq!(data["changeParticipantRole"]["participant"]["role"], role);
    }

    async fn leaves(&self, group: &str) {
        let input = json!({ "input": { "conversationId": group } });
        self.asks(LEAVE, input).await;
    }
}
