//! Operations on groups, sent as a client sends them.

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

/// Operations of users on groups. Every call must succeed.
pub(crate) trait Groups {
    /// Creates a group with these participants and returns its id.
    async fn creates_group(&self, title: Option<&str>, others: &[&Person]) -> String;
    /// Adds a participant with this role.
    async fn adds(&self, group: &str, other: &Person, role: &str) -> Value;
    /// Removes a participant.
    async fn removes(&self, group: &str, other: &Person) -> Value;
    /// Changes the role of a participant.
    async fn makes(&self, group: &str, other: &Person, role: &str);
    /// Leaves the group.
    async fn leaves(&self, group: &str);
}

impl Groups for Person {
    async fn creates_group(&self, title: Option<&str>, others: &[&Person]) -> String {
        let create = "mutation($input: CreateConversationInput!) {
            createConversation(input: $input) { conversation { id } } }";
        let ids: Vec<_> = others.iter().map(|other| &other.id).collect();
        let input = json!({ "title": title, "participantIds": ids });
        let data = self.execute(create, json!({ "input": input })).await;
        text(&data["createConversation"]["conversation"]["id"])
    }

    async fn adds(&self, group: &str, other: &Person, role: &str) -> Value {
        let input = json!({ "conversationId": group, "userIds": [other.id], "role": role });
        let mut data = self.execute(ADD, json!({ "input": input })).await;
        data["addParticipants"].take()
    }

    async fn removes(&self, group: &str, other: &Person) -> Value {
        let input = json!({ "conversationId": group, "userId": other.id });
        let mut data = self.execute(REMOVE, json!({ "input": input })).await;
        data["removeParticipant"].take()
    }

    async fn makes(&self, group: &str, other: &Person, role: &str) {
        let input = json!({ "conversationId": group, "userId": other.id, "role": role });
        let data = self.execute(CHANGE_ROLE, json!({ "input": input })).await;
        assert_eq!(data["changeParticipantRole"]["participant"]["role"], role);
    }

    async fn leaves(&self, group: &str) {
        let input = json!({ "input": { "conversationId": group } });
        self.execute(LEAVE, input).await;
    }
}
