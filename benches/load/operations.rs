//! The GraphQL operations that are measured, and the requests that set them up.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Client, text_of};

pub(crate) const TIMELINE: &str =
    "query Timeline($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes {
    id body createdAt replyCount sender { id displayName } } } } }";
pub(crate) const THREAD: &str = "query Thread($id: ID!, $after: String) { thread(id: $id) { replies(first: 100, after: $after) {
    edges { depth node { id body createdAt replyCount sender { id displayName } parent { id } } }
    pageInfo { endCursor } } } }";
pub(crate) const INBOX: &str =
    "query Inbox { viewer { conversations(first: 50) { nodes { id displayTitle
    viewerMembership { unreadCount } } } } }";
pub(crate) const SEND: &str =
    "mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
pub(crate) const NOOP: &str = "{ __typename }";
/// The body of every message that is sent.
pub(crate) const BODY: &str =
    "Eighty characters of text, as users write them when they have something to share";

/// The variables of [`SEND`].
pub(crate) fn send_variables(conversation: &str, body: &str) -> Value {
    let key = Uuid::now_v7().to_string();
    json!({ "input": { "conversationId": conversation, "body": body, "clientMessageId": key } })
}

/// Creates a group with these participants and returns its id.
pub(crate) async fn create_group(client: &mut Client, title: &str, participants: &Value) -> String {
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
        conversation { id } } }";
    let input = json!({ "input": { "title": title, "participantIds": participants } });
    let data = client.query(create, input).await;
    text_of(&data["createConversation"]["conversation"]["id"])
}
