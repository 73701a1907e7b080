//! The `graphql-transport-ws` protocol as a machine without input, output or clock of its own: it is told what was
//! heard and what time it is, and says what to do.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use super::super::request::GraphqlRequest;

/// The name of the only protocol spoken.
pub(super) const NAME: &str = "graphql-transport-ws";

/// Time for the first `connection_init`.
const INIT: Duration = Duration::from_secs(10);
/// Silence of ours after which the other side is asked whether it is there.
pub(in crate::http) const PING: Duration = Duration::from_secs(25);
/// Silence of theirs after which nobody is there.
const DEAD: Duration = Duration::from_mins(1);
/// Operations at once.
const OPERATIONS: usize = 100;
/// Longest operation id, in bytes. Every frame of the operation repeats it.
const ID_LENGTH: usize = 128;
/// Messages in a row before they are slowed down.
const BURST: u32 = 100;
/// Time in which one more message is allowed: 50 each second.
const PACE: Duration = Duration::from_millis(20);

/// Why a socket is closed. The code decides whether clients come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close {
    /// Close code.
    pub(super) code: u16,
    /// At most 123 bytes, or the frame is not valid.
    pub(super) reason: &'static str,
}

impl Close {
    /// Not a message of the protocol.
    pub(super) const INVALID: Self = Self::new(4400, "Invalid message");
    /// An operation before the connection is acknowledged.
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    /// The token is not good, or not any more. Clients renew it and come back.
    pub(super) const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    /// The session is over. Clients do not come back with it.
    pub(super) const SESSION_ENDED: Self = Self::new(4401, "Session ended");
    /// Not our protocol.
    pub(super) const SUBPROTOCOL: Self = Self::new(4406, "Subprotocol not acceptable");
    /// No `connection_init` in time.
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    /// The id of an operation that still runs.
    pub(super) const DUPLICATE: Self = Self::new(4409, "Subscriber already exists");
    /// A second `connection_init`.
    pub(super) const REPEATED_INIT: Self = Self::new(4429, "Too many initialisation requests");
    /// Nothing was heard for too long.
    pub(super) const DEAD: Self = Self::new(1001, "Nothing was heard for too long");
    /// A message larger than allowed.
    pub(super) const TOO_BIG: Self = Self::new(1009, "Message too big");
    /// The server stops; another one, or the same one again, takes over.
    pub(super) const RESTART: Self = Self::new(1012, "Service restart");
    /// The client reads more slowly than things happen. It comes back and resumes.
    pub(super) const TOO_SLOW: Self = Self::new(1013, "Reading too slowly");
    /// The person has too many sockets.
    pub(super) const TOO_MANY: Self = Self::new(1013, "Too many sockets");
    /// The other side broke the WebSocket protocol itself.
    pub(super) const BROKEN: Self = Self::new(1002, "Protocol error");
    /// The database is away.
    pub(super) const UNAVAILABLE: Self = Self::new(1013, "Try again later");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// Send this.
    Reply(String),
    /// Send a ping frame.
    Ping,
    /// Find out who this is, then call [`Machine::accept`] or close.
    Authenticate(Map<String, Json>),
    /// Run this operation, and call [`Machine::finish`] when it ends.
    Start {
        /// Its id.
        id: String,
        /// What it asks for.
        call: GraphqlRequest,
    },
    /// Refuse this operation: too many run already.
    TooMany {
        /// Its id.
        id: String,
        /// How many may run.
        maximum: usize,
    },
    /// Stop this operation.
    Stop {
        /// Its id.
        id: String,
    },
    /// Close the socket.
    Close(Close),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Incoming {
    ConnectionInit {
        #[serde(default)]
        payload: Option<Map<String, Json>>,
    },
    Ping {
        #[serde(default)]
        payload: Option<Map<String, Json>>,
    },
    Pong {
        #[serde(default, rename = "payload")]
        _payload: Option<Map<String, Json>>,
    },
    Subscribe {
        id: String,
        payload: Json,
    },
    Complete {
        id: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opened,
    Authenticating,
    Ready,
}

/// One connection's state.
#[derive(Debug)]
pub(super) struct Machine {
    phase: Phase,
    operations: HashSet<String>,
    opened: Instant,
    heard: Instant,
    pinged: Instant,
    expires: Option<Instant>,
    /// When the allowance is full again; it moves on with every message.
    full_at: Instant,
}

impl Machine {
    /// A connection that was just opened.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Opened,
            operations: HashSet::new(),
            opened: now,
            heard: now,
            pinged: now,
            expires: None,
            full_at: now,
        }
    }

    /// Something came from the other side, be it only a pong.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// A text message came.
    pub(super) fn receive(&mut self, text: &str, now: Instant) -> Step {
        self.hear(now);
        self.full_at = self.full_at.max(now) + PACE;
        match serde_json::from_str(text) {
            Err(_not_one_of_ours) => Step::Close(Close::INVALID),
            Ok(Incoming::ConnectionInit { payload }) => {
                if self.phase != Phase::Opened {
                    return Step::Close(Close::REPEATED_INIT);
                }
                self.phase = Phase::Authenticating;
                Step::Authenticate(payload.unwrap_or_default())
            }
            Ok(Incoming::Ping { payload: None }) => {
                Step::Reply(json!({"type": "pong"}).to_string())
            }
            Ok(Incoming::Ping { payload }) => {
                Step::Reply(json!({"type": "pong", "payload": payload}).to_string())
            }
            Ok(Incoming::Pong { .. }) => Step::Nothing,
            Ok(Incoming::Subscribe { id, payload }) => self.subscribe(id, payload),
            Ok(Incoming::Complete { id }) => {
                if self.operations.remove(&id) {
                    Step::Stop { id }
                } else {
                    // It ended by itself while the message was on its way.
                    Step::Nothing
                }
            }
        }
    }

    fn subscribe(&mut self, id: String, payload: Json) -> Step {
        if self.phase != Phase::Ready {
            return Step::Close(Close::UNAUTHORIZED);
        }
        if id.is_empty() || id.len() > ID_LENGTH {
            return Step::Close(Close::INVALID);
        }
        if self.operations.contains(&id) {
            return Step::Close(Close::DUPLICATE);
        }
        let Ok(call) = GraphqlRequest::from_json(payload) else {
            return Step::Close(Close::INVALID);
        };
        if self.operations.len() >= OPERATIONS {
            return Step::TooMany {
                id,
                maximum: OPERATIONS,
            };
        }
        self.operations.insert(id.clone());
        Step::Start { id, call }
    }

    /// The connection is accepted; its token, if there is one, lapses at `expires`.
    pub(super) fn accept(&mut self, expires: Option<Instant>) -> Step {
        self.phase = Phase::Ready;
        self.expires = expires;
        Step::Reply(json!({"type": "connection_ack"}).to_string())
    }

    /// An operation ended by itself. False when the client had stopped it before and wants to hear no more.
    pub(super) fn finish(&mut self, id: &str) -> bool {
        self.operations.remove(id)
    }

    /// When [`Machine::tick`] has something to do at the latest.
    #[must_use]
    pub(super) fn deadline(&self) -> Instant {
        let init = (self.phase != Phase::Ready).then(|| self.opened + INIT);
        [init, self.expires]
            .into_iter()
            .flatten()
            .fold((self.pinged + PING).min(self.heard + DEAD), Instant::min)
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Step {
        if self.phase != Phase::Ready && now >= self.opened + INIT {
            Step::Close(Close::INIT_TIMEOUT)
        } else if self.expires.is_some_and(|expires| now >= expires) {
            Step::Close(Close::FORBIDDEN)
        } else if now >= self.heard + DEAD {
            Step::Close(Close::DEAD)
        } else if now >= self.pinged + PING {
            self.pinged = now;
            Step::Ping
        } else {
            Step::Nothing
        }
    }

    /// Until when nothing more is to be read: a client that floods waits in its own queue.
    #[must_use]
    pub(super) fn pause(&self) -> Option<Instant> {
        self.full_at.checked_sub(PACE * BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT_MESSAGE: &str = r#"{"type":"connection_init"}"#;

    fn opened() -> (Machine, Instant) {
        let now = Instant::now();
        (Machine::new(now), now)
    }

    fn ready() -> (Machine, Instant) {
        let (mut machine, now) = opened();
        assert_eq!(
            machine.receive(INIT_MESSAGE, now),
            Step::Authenticate(Map::new())
        );
        assert_eq!(
            machine.accept(None),
            Step::Reply(r#"{"type":"connection_ack"}"#.to_owned())
        );
        (machine, now)
    }

    fn subscribe(id: &str) -> String {
        json!({"id": id, "type": "subscribe", "payload": {"query": "{ a }"}}).to_string()
    }

    #[track_caller]
    fn closes(step: &Step, code: u16) {
        let Step::Close(close) = step else {
            panic!("{step:?}")
        };
        assert_eq!(close.code, code);
        assert!(close.reason.len() <= 123);
    }

    #[test]
    fn nothing_runs_before_the_connection_is_acknowledged() {
        let (mut machine, now) = opened();
        closes(&machine.receive(&subscribe("1"), now), 4401);
        let (mut machine, now) = opened();
        machine.receive(INIT_MESSAGE, now);
        closes(&machine.receive(&subscribe("1"), now), 4401);
    }

    #[test]
    fn the_payload_of_the_first_message_says_who_it_is() {
        let (mut machine, now) = opened();
        let step = machine.receive(r#"{"type":"connection_init","payload":{"token":"t"}}"#, now);
        let Step::Authenticate(payload) = step else {
            panic!("{step:?}")
        };
        assert_eq!(payload.get("token"), Some(&json!("t")));
    }

    #[test]
    fn one_init_is_enough() {
        let (mut machine, now) = opened();
        machine.receive(INIT_MESSAGE, now);
        closes(&machine.receive(INIT_MESSAGE, now), 4429);
        let (mut machine, now) = ready();
        closes(&machine.receive(INIT_MESSAGE, now), 4429);
    }

    #[test]
    fn silence_is_closed_in_time() {
        let (mut machine, now) = opened();
        assert_eq!(machine.deadline(), now + Duration::from_secs(10));
        assert_eq!(
            machine.tick(now + Duration::from_millis(9_999)),
            Step::Nothing
        );
        closes(&machine.tick(machine.deadline()), 4408);
    }

    #[test]
    fn what_is_no_message_closes() {
        let messages = [
            "",
            "{",
            "[]",
            "1",
            "{}",
            r#"{"type":"start","id":"1"}"#,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":""}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":[{"query":"{ a }"}]}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }","variables":1}}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"ping","payload":1}"#,
        ];
        for message in messages {
            let (mut machine, now) = ready();
            closes(&machine.receive(message, now), 4400);
        }
        let (mut machine, now) = ready();
        closes(&machine.receive(&subscribe(&"x".repeat(129)), now), 4400);
    }

    #[test]
    fn an_id_is_taken_until_its_operation_ends() {
        let (mut machine, now) = ready();
        assert!(matches!(
            machine.receive(&subscribe("1"), now),
            Step::Start { .. }
        ));
        closes(&machine.receive(&subscribe("1"), now), 4409);
        assert!(machine.finish("1"));
        assert!(!machine.finish("1"));
        assert!(matches!(
            machine.receive(&subscribe("1"), now),
            Step::Start { .. }
        ));
        let stop = machine.receive(r#"{"id":"1","type":"complete"}"#, now);
        assert_eq!(stop, Step::Stop { id: "1".to_owned() });
        assert_eq!(
            machine.receive(r#"{"id":"1","type":"complete"}"#, now),
            Step::Nothing
        );
        assert!(matches!(
            machine.receive(&subscribe("1"), now),
            Step::Start { .. }
        ));
    }

    #[test]
    fn operations_are_limited_without_closing() {
        let (mut machine, now) = ready();
        for id in 0..100 {
            assert!(matches!(
                machine.receive(&subscribe(&id.to_string()), now),
                Step::Start { .. }
            ));
        }
        let step = machine.receive(&subscribe("x"), now);
        assert_eq!(
            step,
            Step::TooMany {
                id: "x".to_owned(),
                maximum: 100
            }
        );
    }

    #[test]
    fn pings_are_answered_and_sent_and_the_dead_are_dropped() {
        let (mut machine, now) = ready();
        let step = machine.receive(r#"{"type":"ping","payload":{"a":1}}"#, now);
        assert_eq!(
            step,
            Step::Reply(r#"{"payload":{"a":1},"type":"pong"}"#.to_owned())
        );
        assert_eq!(machine.receive(r#"{"type":"pong"}"#, now), Step::Nothing);
        let mut time = now;
        for _ in 0..2 {
            time += PING;
            assert_eq!(machine.deadline(), time);
            assert_eq!(machine.tick(time), Step::Ping);
        }
        assert_eq!(machine.deadline(), now + DEAD);
        closes(&machine.tick(now + DEAD), 1001);
        machine.hear(now + DEAD);
        assert_eq!(
            machine.tick(now + DEAD + Duration::from_secs(14)),
            Step::Nothing
        );
    }

    #[test]
    fn a_lapsed_token_closes() {
        let (mut machine, now) = opened();
        machine.receive(INIT_MESSAGE, now);
        machine.accept(Some(now + Duration::from_secs(5)));
        assert_eq!(machine.deadline(), now + Duration::from_secs(5));
        closes(&machine.tick(machine.deadline()), 4403);
    }

    #[test]
    fn a_flood_is_slowed_down_to_fifty_each_second() {
        let (mut machine, now) = opened();
        for _ in 0..100 {
            assert!(machine.pause().is_none_or(|until| until <= now));
            machine.receive(r#"{"type":"pong"}"#, now);
        }
        machine.receive(r#"{"type":"pong"}"#, now);
        assert_eq!(machine.pause(), Some(now + PACE));
        machine.receive(r#"{"type":"pong"}"#, now + PACE * 50);
        assert!(machine.pause().unwrap() < now + PACE * 50);
    }
}
