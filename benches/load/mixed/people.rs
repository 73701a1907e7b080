//! The people and conversations of the mixed workload.

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rand::{
    Rng, SeedableRng,
    distr::{Distribution, weighted::WeightedIndex},
    rngs::SmallRng,
    seq::{IndexedRandom, SliceRandom},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    client::{Client, operation, sign_in, text_of},
    fanout_group::seeded_users,
    fixtures::{self, Fixtures, WrittenGroup},
    operations::{BODY, SEND},
    server::{Installation, Server},
};

/// How many callers wait for responses at the same time.
pub(super) const CALLERS: [usize; 2] = [8, 64];
/// The most people who call.
const MOST_CALLERS: usize = CALLERS[1];
/// Messages of a conversation before the workload. Some conversations have one thread with more.
const MESSAGES: usize = 50;
const THREADS: usize = 20;
const REPLIES: usize = 200;
/// Concurrent sign-ins. Each one takes long by design.
const CONCURRENT_SIGN_INS: usize = 4;
const SEED: u64 = 16;

/// A conversation, the people in it, and its latest messages.
struct Place {
    id: String,
    callers: Vec<usize>,
    usernames: Vec<String>,
    messages: Mutex<Vec<String>>,
}

/// The people who call, and their conversations, the largest first.
pub(super) struct People {
    tokens: Vec<String>,
    places: Vec<Place>,
    threads: Vec<String>,
    /// The conversations of each caller, and how often they send to each.
    choices: Vec<(Vec<usize>, WeightedIndex<f64>)>,
    random: Mutex<SmallRng>,
}

impl People {
    /// Creates this many people, two conversations for every five, and a server.
    pub(super) async fn prepare(installation: &Installation, count: usize) -> (Self, Server) {
        installation.seed(count, 1, 10);
        let server = installation.start();
        let mut anonymous = Client::connect(&server.address, None).await;
        let (bench, _) = crate::client::register(&mut anonymous, "bench").await;
        let mut bench = Client::connect(&server.address, Some(&bench)).await;
        let users = seeded_users(&mut bench, count).await;
        let callers = MOST_CALLERS.min(count / 2);
        let signed_in = stream::iter(&users[..callers]).map(async |user| {
            let mut anonymous = Client::connect(&server.address, None).await;
            sign_in(&mut anonymous, &text_of(&user["username"])).await
        });
        let tokens: Vec<String> = signed_in.buffered(CONCURRENT_SIGN_INS).collect().await;
        drop(server);
        let mut random = SmallRng::seed_from_u64(SEED);
        let fixtures = Fixtures::open(installation).await;
        let (mut places, mut threads) = (vec![], vec![]);
        for number in 0..count * 2 / 5 {
            let size = (count / (number + 1)).max(2);
            let own = (callers * size / count).max(1);
            let mut chosen: Vec<usize> = (0..callers).collect();
            chosen.shuffle(&mut random);
            chosen.truncate(own);
            let mut others: Vec<usize> = (callers..count).collect();
            others.shuffle(&mut random);
            others.truncate(size - own);
            let members = || chosen.iter().chain(&others).map(|&one| &users[one]);
            let read: Vec<_> = members()
                .map(|user| (fixtures::user_id(&text_of(&user["id"])), 0))
                .collect();
            let title = format!("Mixed {number:03}");
            let WrittenGroup { id, messages } = if number < THREADS {
                let (group, thread) = fixtures.thread(&title, &read, REPLIES).await;
                threads.push(thread);
                group
            } else {
                fixtures.conversation(&title, &read, MESSAGES).await
            };
            places.push(Place {
                id,
                usernames: members().map(|user| text_of(&user["username"])).collect(),
                callers: chosen,
                messages: Mutex::new(messages),
            });
        }
        fixtures.close().await;
        let choices = (0..callers)
            .map(|caller| choices(caller, &places))
            .collect();
        let people = Self {
            tokens,
            places,
            threads,
            choices,
            random: Mutex::new(random),
        };
        (people, installation.start())
    }

    pub(super) async fn connect(&self, server: &Server, callers: usize) -> Vec<Client> {
        let mut clients = vec![];
        for token in self.tokens.iter().cycle().take(callers) {
            clients.push(Client::connect(&server.address, Some(token)).await);
        }
        clients
    }

    fn random(&self) -> MutexGuard<'_, SmallRng> {
        self.random.lock().unwrap()
    }

    fn choose(&self, caller: usize) -> &Place {
        let (places, weights) = &self.choices[caller % self.choices.len()];
        &self.places[places[weights.sample(&mut *self.random())]]
    }

    /// Any conversation of this caller.
    pub(super) fn place(&self, caller: usize) -> &str {
        &self.choose(caller).id
    }

    pub(super) fn thread(&self) -> &str {
        // Every caller is in the largest conversation.
        &self.threads[0]
    }

    /// The next message of this caller.
    pub(super) fn send(&self, caller: usize) -> Bytes {
        let place = self.choose(caller);
        let mut random = self.random();
        let parent = random.random_bool(0.5).then(|| {
            let messages = place.messages.lock().unwrap();
            messages.choose(&mut *random).cloned()
        });
        let mentioned = place.usernames.choose(&mut *random);
        let body = match mentioned.filter(|_| random.random_bool(0.05)) {
            Some(username) => format!("@{username} {BODY}"),
            None => BODY.to_owned(),
        };
        let input = json!({ "conversationId": place.id, "parentId": parent.flatten(), "body": body,
            "clientMessageId": Uuid::now_v7().to_string() });
        operation(SEND, &json!({ "input": input }))
    }

    /// Marks a conversation of this caller as read.
    pub(super) fn mark_read(&self, caller: usize) -> Bytes {
        let mark = "mutation MarkRead($id: ID!) {
            markConversationsRead(input: { conversations: [{ conversationId: $id }] }) { markedCount } }";
        operation(mark, &json!({ "id": self.place(caller) }))
    }

    /// The largest and the smallest conversation: the id of each, and the token of a participant.
    pub(super) fn extremes(&self) -> [(&str, &str); 2] {
        let ends = [self.places.first(), self.places.last()];
        ends.map(|place| {
            let place = place.unwrap();
            (place.id.as_str(), self.tokens[place.callers[0]].as_str())
        })
    }
}

/// The conversations of a caller. Over all callers, each receives messages in proportion to its size.
fn choices(caller: usize, places: &[Place]) -> (Vec<usize>, WeightedIndex<f64>) {
    let own = places.iter().enumerate();
    let own = own.filter(|(_, place)| place.callers.contains(&caller));
    let (numbers, weights): (Vec<_>, Vec<_>) = own
        .map(|(number, place)| {
            let share = place.usernames.len() as f64 / place.callers.len() as f64;
            (number, share)
        })
        .unzip();
    (numbers, WeightedIndex::new(weights).unwrap())
}
