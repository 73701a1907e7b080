//! What people do in conversations, as a client would ask for it.

use serde_json::{Value, json};

use super::person::{Person, text};

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id } } }";

/// People who talk. Every call must succeed and gives the id of what it made.
pub(crate) trait Messaging {
    /// The direct conversation with somebody.
    async fn direct(&self, other: &Person) -> String;
    /// A root message.
    async fn says(&self, conversation: &str, body: &str) -> String;
    /// A reply.
    async fn answers(&self, conversation: &str, parent: &str, body: &str) -> String;
    /// Another text for a message of their own.
    async fn edits(&self, message: &str, body: &str);
    /// The end of a message.
    async fn deletes(&self, message: &str);
}

impl Messaging for Person {
    async fn direct(&self, other: &Person) -> String {
        let open = "mutation($input: OpenDirectConversationInput!) {
            openDirectConversation(input: $input) { conversation { id } } }";
        let data = self
            .asks(open, json!({ "input": { "userIds": [other.id] } }))
            .await;
        text(&data["openDirectConversation"]["conversation"]["id"])
    }

    async fn says(&self, conversation: &str, body: &str) -> String {
        let input = json!({ "conversationId": conversation, "body": body });
        sent(&self.asks(SEND, json!({ "input": input })).await)
    }

    async fn answers(&self, conversation: &str, parent: &str, body: &str) -> String {
        let input = json!({ "conversationId": conversation, "parentId": parent, "body": body });
        sent(&self.asks(SEND, json!({ "input": input })).await)
    }

    async fn edits(&self, message: &str, body: &str) {
        let edit = "mutation($input: EditMessageInput!) { editMessage(input: $input) {
            message { id } } }";
        self.asks(
            edit,
            json!({ "input": { "messageId": message, "body": body } }),
        )
        .await;
    }

    async fn deletes(&self, message: &str) {
        let delete = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) {
            deletedMessageId } }";
        self.asks(delete, json!({ "input": { "messageId": message } }))
            .await;
    }
}

fn sent(data: &Value) -> String {
    text(&data["sendMessage"]["message"]["id"])
}
