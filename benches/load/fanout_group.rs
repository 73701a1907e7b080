//! A group with one sender, and users who can subscribe to it.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    client::{Client, register, sign_in, text_of},
    operations::{BODY, SEND, create_group, send_variables},
    server::{Installation, Server},
    sockets::{Listeners, Socket, subscribe},
};

/// Sockets that the server allows per user.
const SOCKETS_PER_USER: usize = 10;
/// Concurrent sign-ins. Each one takes long by design.
const CONCURRENT_SIGN_INS: usize = 4;
const EVENTS: &str = "subscription($id: ID!) { messageSent(conversationId: $id) {
    id body createdAt sender { id displayName } } }";

pub(crate) struct FanoutGroup {
    sender: Client,
    pub(crate) sender_token: String,
    pub(crate) id: String,
    tokens: Vec<String>,
}

impl FanoutGroup {
    /// Creates the users for this number of sockets. No server may run yet.
    pub(crate) fn seed(installation: &Installation, sockets: usize) {
        installation.seed(sockets.div_ceil(SOCKETS_PER_USER).max(2), 1, 10);
    }

    /// Creates the group and signs its users in.
    pub(crate) async fn create(server: &Server, sockets: usize) -> Self {
        let mut anonymous = Client::connect(&server.address, None).await;
        let (sender_token, _) = register(&mut anonymous, "bench").await;
        let mut sender = Client::connect(&server.address, Some(&sender_token)).await;
        let users = seeded_users(&mut sender, sockets.div_ceil(SOCKETS_PER_USER)).await;
        let signed_in = stream::iter(&users).map(async |user| {
            let mut anonymous = Client::connect(&server.address, None).await;
            sign_in(&mut anonymous, &text_of(&user["username"])).await
        });
        let tokens = signed_in.buffered(CONCURRENT_SIGN_INS).collect().await;
        let ids: Vec<&Value> = users.iter().map(|user| &user["id"]).collect();
        let id = create_group(&mut sender, "Fan-out", &json!(ids)).await;
        Self {
            sender,
            sender_token,
            id,
            tokens,
        }
    }

    /// Connects the sender to another node of the installation.
    pub(crate) async fn reconnect(&mut self, server: &Server) {
        self.sender = Client::connect(&server.address, Some(&self.sender_token)).await;
    }

    pub(crate) async fn send(&mut self, body: &str) {
        let variables = send_variables(&self.id, body);
        self.sender.query(SEND, variables).await;
    }

    /// Opens the socket with this number; `None` if the server refuses it.
    pub(crate) async fn socket(&self, address: &str, number: usize) -> Option<Socket> {
        let token = &self.tokens[number / SOCKETS_PER_USER];
        subscribe(address, token, EVENTS, &json!({ "id": self.id })).await
    }

    /// Adds listeners up to this number and waits until all of them are subscribed.
    pub(crate) async fn add_listeners(
        &mut self,
        listeners: &mut Listeners,
        server: &Server,
        count: usize,
    ) {
        for number in listeners.count()..count {
            listeners.add(self.socket(&server.address, number).await.unwrap());
        }
        let mut send = async || self.send(BODY).await;
        listeners.wait_until_subscribed(&mut send).await;
    }
}

/// Loads the ids and usernames of this many seeded users.
pub(crate) async fn seeded_users(client: &mut Client, count: usize) -> Vec<Value> {
    let text = "query($after: String) { users(filter: {}, first: 100, after: $after) {
        nodes { id username } pageInfo { endCursor } } }";
    let (mut users, mut after) = (vec![], Value::Null);
    while users.len() < count {
        let data = client.query(text, json!({ "after": after })).await;
        after = data["users"]["pageInfo"]["endCursor"].clone();
        let nodes = data["users"]["nodes"].as_array().unwrap();
        let seeded = nodes.iter().filter(|user| user["username"] != "bench");
        users.extend(seeded.take(count - users.len()).cloned());
    }
    users
}
