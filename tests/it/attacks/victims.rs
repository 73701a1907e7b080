//! Two users who exchange messages during an attack. Their experience is what an attack must not change.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::support::{groups::Groups, messaging::Messaging, person::Person, socket::Subscription};

const EVENTS: &str = "subscription { events(filter: { categories: [MESSAGES] }) {
    ... on MessageSentEvent { message { id } } } }";
/// Pause between two messages. Ada stays below the rate limit of messages.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum time for one message. A request without a response is a failed attack test, not a slow one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ada, who sends messages, and Ben, who receives them.
pub(super) struct Victims {
    ada: Person,
    ben: Subscription,
    conversation: String,
}

/// How long messages took.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    /// From the request until the response.
    pub(super) sending: Vec<Duration>,
    /// From the request until the other user received the message.
    pub(super) receiving: Vec<Duration>,
}

impl Victims {
    /// Signs up two users of this server and opens their conversation.
    pub(super) async fn meet(url: &str) -> Self {
        let endpoint = format!("{url}/graphql");
        let ada = Person::anonymous_at(endpoint.clone()).sign_up("Ada").await;
        let ben = Person::anonymous_at(endpoint).sign_up("Ben").await;
        let conversation = ada.creates_group(Some("Engine"), &[&ben]).await;
        let mut events = ben.subscribe(EVENTS, Value::Null).await;
        events.next().await;
        Self {
            ada,
            ben: events,
            conversation,
        }
    }

    /// Sends and receives messages for this long, one after the other.
    pub(super) async fn exchange(&mut self, lasts: Duration) -> Latencies {
        let mut latencies = Latencies::default();
        let started = Instant::now();
        while started.elapsed() < lasts {
            let one = timeout(PATIENCE, self.exchange_one());
            let (sending, receiving) = one.await.unwrap();
            latencies.sending.push(sending);
            latencies.receiving.push(receiving);
            sleep(PAUSE).await;
        }
        latencies
    }

    async fn exchange_one(&mut self) -> (Duration, Duration) {
        let started = Instant::now();
        let send = async {
            let id = self.ada.says(&self.conversation, "one more").await;
            (id, started.elapsed())
        };
        let receive = async {
            let event = self.ben.next().await;
            (event, started.elapsed())
        };
        let ((id, sending), (event, receiving)) = tokio::join!(send, receive);
        assert_eq!(event["events"]["message"]["id"], id.as_str());
        (sending, receiving)
    }
}
