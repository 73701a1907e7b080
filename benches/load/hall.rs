//! One group, somebody who speaks in it, and people who can listen.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    client::{Client, register, sign_in, text_of},
    server::{Home, Server},
    sockets::{Ears, Socket, subscribed},
    walks::{BODY, D, new_group, sending},
};

/// Sockets that one person may have.
const PER_PERSON: usize = 10;
/// Sign-ins at once: they are made to take long.
const AT_ONCE: usize = 4;
const EVENTS: &str = "subscription($id: ID!) { messageSent(conversationId: $id) {
    id body createdAt sender { id displayName } } }";

pub(crate) struct Hall {
    speaker: Client,
    pub(crate) speaker_token: String,
    pub(crate) group: String,
    tokens: Vec<String>,
}

impl Hall {
    /// People for this many sockets, made up before any server starts.
    pub(crate) fn seed(home: &Home, sockets: usize) {
        home.seed(sockets.div_ceil(PER_PERSON).max(2), 1, 10);
    }

    /// The group, and everybody signed in, at this node.
    pub(crate) async fn open(server: &Server, sockets: usize) -> Self {
        let people = sockets.div_ceil(PER_PERSON);
        let mut nobody = Client::connect(&server.address, None).await;
        let (token, _) = register(&mut nobody, "bench").await;
        let mut speaker = Client::connect(&server.address, Some(&token)).await;
        let found = everybody(&mut speaker, people).await;
        let signed_in = stream::iter(&found).map(async |person| {
            let mut nobody = Client::connect(&server.address, None).await;
            sign_in(&mut nobody, &text_of(&person["username"])).await
        });
        let tokens = signed_in.buffered(AT_ONCE).collect().await;
        let ids: Vec<&Value> = found.iter().map(|person| &person["id"]).collect();
        let group = new_group(&mut speaker, "Hall", &json!(ids)).await;
        Self {
            speaker,
            speaker_token: token,
            group,
            tokens,
        }
    }

    /// The same people at another node of the installation.
    pub(crate) async fn moves(&mut self, server: &Server) {
        self.speaker = Client::connect(&server.address, Some(&self.speaker_token)).await;
    }

    pub(crate) async fn says(&mut self, body: &str) {
        self.speaker.asks(D, sending(&self.group, body)).await;
    }

    /// A socket of somebody, at this node. None when the server would not have it now.
    pub(crate) async fn socket(&self, address: &str, number: usize) -> Option<Socket> {
        let token = &self.tokens[number / PER_PERSON];
        subscribed(address, token, EVENTS, &json!({ "id": self.group })).await
    }

    /// As many listeners at this node as are wanted, and sure to listen.
    pub(crate) async fn fill(&mut self, ears: &mut Ears, server: &Server, count: usize) {
        for number in ears.count()..count {
            ears.add(self.socket(&server.address, number).await.unwrap());
        }
        ears.all_listen(&mut async || self.says(BODY).await).await;
    }
}

/// Id and username of so many people who were made up.
async fn everybody(client: &mut Client, count: usize) -> Vec<Value> {
    let text = "query($after: String) { users(filter: {}, first: 100, after: $after) {
        nodes { id username } pageInfo { endCursor } } }";
    let (mut found, mut after) = (vec![], Value::Null);
    while found.len() < count {
        let data = client.asks(text, json!({ "after": after })).await;
        after = data["users"]["pageInfo"]["endCursor"].clone();
        let nodes = data["users"]["nodes"].as_array().unwrap();
        let others = nodes.iter().filter(|one| one["username"] != "bench");
        found.extend(others.take(count - found.len()).cloned());
    }
    found
}
