//! Operations on conversations and messages, sent as a client sends them.

use serde_json::{Value, json};

use super::person::{Person, text};

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id } } }";

/// Operations of users on messages. Every call must succeed and returns the id of what it creates.
pub(crate) trait Messaging {
    /// Opens the direct conversation with another user.
    async fn direct(&self, other: &Person) -> String;
    /// Sends a root message.
    async fn says(&self, conversation: &str, body: &str) -> String;
    /// Sends a root message with this priority.
    async fn says_with(&self, conversation: &str, body: &str, priority: &str) -> String;
    /// Sends a reply.
    async fn replies(&self, conversation: &str, parent: &str, body: &str) -> String;
    /// Replaces the text of an own message.
    async fn edits(&self, message: &str, body: &str);
    /// Deletes a message.
    async fn deletes(&self, message: &str);
}

impl Messaging for Person {
    async fn direct(&self, other: &Person) -> String {
        let open = "mutation($input: OpenDirectConversationInput!) {
            openDirectConversation(input: $input) { conversation { id } } }";
        let data = self
            .execute(open, json!({ "input": { "userIds": [other.id] } }))
            .await;
        text(&data["openDirectConversation"]["conversation"]["id"])
    }

    async fn says(&self, conversation: &str, body: &str) -> String {
        let input = json!({ "conversationId": conversation, "body": body });
        sent(&self.execute(SEND, json!({ "input": input })).await)
    }

    async fn says_with(&self, conversation: &str, body: &str, priority: &str) -> String {
        let input = json!({ "conversationId": conversation, "body": body, "priority": priority });
        sent(&self.execute(SEND, json!({ "input": input })).await)
    }

    async fn replies(&self, conversation: &str, parent: &str, body: &str) -> String {
        let input = json!({ "conversationId": conversation, "parentId": parent, "body": body });
        sent(&self.execute(SEND, json!({ "input": input })).await)
    }

    async fn edits(&self, message: &str, body: &str) {
        let edit = "mutation($input: EditMessageInput!) { editMessage(input: $input) {
            message { id } } }";
        self.execute(
            edit,
            json!({ "input": { "messageId": message, "body": body } }),
        )
        .await;
    }

    async fn deletes(&self, message: &str) {
        let delete = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) {
            deletedMessageId } }";
        self.execute(delete, json!({ "input": { "messageId": message } }))
            .await;
    }
}

fn sent(data: &Value) -> String {
    text(&data["sendMessage"]["message"]["id"])
}
