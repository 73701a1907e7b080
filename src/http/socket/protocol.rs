//! The `graphql-transport-ws` protocol as a state machine without I/O and without a clock: it receives messages and the
//! time, and returns the step to perform.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use crate::http::request::GraphqlRequest;

/// The only supported subprotocol.
pub(super) const NAME: &str = "graphql-transport-ws";

/// Maximum time for the `connection_init` to arrive.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval between pings, which detect a client that is gone.
pub(in crate::http) const PING_INTERVAL: Duration = Duration::from_secs(25);
/// Time without any frame from the client after which the socket closes.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Time without an operation after which a socket without a user closes.
const UNUSED_TIMEOUT: Duration = Duration::from_mins(1);
/// Maximum concurrent operations of a socket.
const MAX_OPERATIONS: usize = 100;
/// Maximum length of an operation id, in bytes. Every message of the operation repeats it.
const MAX_ID_LENGTH: usize = 128;

/// Why a socket is closed. The code decides whether clients reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    /// At most 123 bytes; a control frame holds no more.
    pub(super) reason: &'static str,
}

impl Close {
    /// The message is not one of the protocol.
    pub(super) const INVALID: Self = Self::new(4400, "Invalid message");
    /// An operation arrived before the connection was acknowledged.
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    /// The token is invalid or has expired. Clients renew it and reconnect.
    pub(super) const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    /// The session has ended. Clients do not reconnect with it.
    pub(super) const SESSION_ENDED: Self = Self::new(4401, "Session ended");
    /// The client does not support the subprotocol.
    pub(super) const SUBPROTOCOL: Self = Self::new(4406, "Subprotocol not acceptable");
    /// No `connection_init` arrived in time.
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    /// The id belongs to a running operation.
    pub(super) const DUPLICATE: Self = Self::new(4409, "Subscriber already exists");
    /// A second `connection_init` arrived.
    pub(super) const REPEATED_INIT: Self = Self::new(4429, "Too many initialisation requests");
    /// No frame arrived for too long.
    pub(super) const IDLE: Self = Self::new(1001, "Connection timed out");
    /// The message is larger than allowed.
    pub(super) const TOO_BIG: Self = Self::new(1009, "Message too big");
    /// The text is not UTF-8.
    pub(super) const NOT_UTF8: Self = Self::new(1007, "Invalid text");
    /// A message did not arrive completely in time.
    pub(super) const SLOW_MESSAGE: Self = Self::new(1008, "Message arrives too slowly");
    /// The server stops. Clients reconnect to another node, or to this one after its restart.
    pub(super) const RESTART: Self = Self::new(1012, "Service restart");
    /// The client reads more slowly than events arrive. It reconnects and resumes.
    pub(super) const TOO_SLOW: Self = Self::new(1013, "Reading too slowly");
    /// The user has too many streams.
    pub(super) const TOO_MANY: Self = Self::new(1013, "Too many sockets");
    /// Another connection needs the place of this one, which has no user.
    pub(super) const EVICTED: Self = Self::new(1013, "Too many sockets without a user");
    /// A socket without a user ran no operation for too long.
    pub(super) const UNUSED: Self = Self::new(1001, "No operation for a minute");
    /// The client violated the WebSocket protocol.
    pub(super) const PROTOCOL_ERROR: Self = Self::new(1002, "Protocol error");
    /// The database cannot be reached.
    pub(super) const UNAVAILABLE: Self = Self::new(1013, "Try again later");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

/// The next action of the connection.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Nothing,
    /// Send this message.
    Reply(String),
    /// Send a ping frame.
    Ping,
    /// Authenticate the client with this payload, then call [`Machine::accept`] or close.
    Authenticate(Map<String, Json>),
    /// Run this operation, and call [`Machine::finish`] when it ends.
    Start {
        id: String,
        request: GraphqlRequest,
    },
    /// Reject this operation, because the maximum is running.
    TooMany {
        id: String,
        maximum: usize,
    },
    /// Stop this operation.
    Stop {
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
    Ready(Access),
}

/// How long the user of a socket has access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The socket has no user.
    Anonymous,
    /// Until the token expires.
    Until(Instant),
}

/// The protocol state of one connection.
#[derive(Debug)]
pub(super) struct Machine {
    phase: Phase,
    operations: HashSet<String>,
    opened: Instant,
    last_received: Instant,
    last_ping: Instant,
    /// When the last operation ended, or when the socket was opened.
    last_operation: Instant,
}

impl Machine {
    /// The state of a new connection.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Opened,
            operations: HashSet::new(),
            opened: now,
            last_received: now,
            last_ping: now,
            last_operation: now,
        }
    }

    /// Records that a frame of any kind arrived.
    pub(super) fn note_activity(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// Handles a text message.
    pub(super) fn receive(&mut self, text: &str, now: Instant) -> Step {
        self.note_activity(now);
        match serde_json::from_str(text) {
            Err(_invalid) => Step::Close(Close::INVALID),
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
                if self.finish(&id, now) {
                    Step::Stop { id }
                } else {
                    // The operation ended while the message was in transit.
                    Step::Nothing
                }
            }
        }
    }

    fn subscribe(&mut self, id: String, payload: Json) -> Step {
        if !self.is_ready() {
            return Step::Close(Close::UNAUTHORIZED);
        }
        if id.is_empty() || id.len() > MAX_ID_LENGTH {
            return Step::Close(Close::INVALID);
        }
        if self.operations.contains(&id) {
            return Step::Close(Close::DUPLICATE);
        }
        let Ok(request) = GraphqlRequest::from_json(payload) else {
            return Step::Close(Close::INVALID);
        };
        if self.operations.len() >= MAX_OPERATIONS {
            return Step::TooMany {
                id,
                maximum: MAX_OPERATIONS,
            };
        }
        self.operations.insert(id.clone());
        Step::Start { id, request }
    }

    /// Acknowledges the connection. The socket closes when its user has no access any more.
    pub(super) fn accept(&mut self, now: Instant, access: Access) -> Step {
        self.phase = Phase::Ready(access);
        self.last_operation = now;
        Step::Reply(json!({"type": "connection_ack"}).to_string())
    }

    fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }

    /// Removes an operation that ended. False if the client has stopped it: it then receives no more messages for it.
    pub(super) fn finish(&mut self, id: &str, now: Instant) -> bool {
        self.last_operation = now;
        self.operations.remove(id)
    }

    /// The time at which [`Machine::tick`] must be called at the latest.
    #[must_use]
    pub(super) fn deadline(&self) -> Instant {
        let next = (self.last_ping + PING_INTERVAL).min(self.last_received + IDLE_TIMEOUT);
        self.end().map_or(next, |(end, _)| next.min(end))
    }

    /// When the socket closes for another reason than silence, and that reason.
    fn end(&self) -> Option<(Instant, Close)> {
        match self.phase {
            Phase::Opened | Phase::Authenticating => {
                Some((self.opened + INIT_TIMEOUT, Close::INIT_TIMEOUT))
            }
            Phase::Ready(Access::Until(expires)) => Some((expires, Close::FORBIDDEN)),
            Phase::Ready(Access::Anonymous) if self.operations.is_empty() => {
                Some((self.last_operation + UNUSED_TIMEOUT, Close::UNUSED))
            }
            Phase::Ready(Access::Anonymous) => None,
        }
    }

    /// Checks the timeouts and the ping interval.
    pub(super) fn tick(&mut self, now: Instant) -> Step {
        if let Some((end, close)) = self.end()
            && now >= end
        {
            Step::Close(close)
        } else if now >= self.last_received + IDLE_TIMEOUT {
            Step::Close(Close::IDLE)
        } else if now >= self.last_ping + PING_INTERVAL {
            self.last_ping = now;
            Step::Ping
        } else {
            Step::Nothing
        }
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
            machine.accept(now, Access::Until(now + Duration::from_hours(1))),
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
    fn connection_init_authenticates_with_its_payload() {
        let (mut machine, now) = opened();
        let step = machine.receive(r#"{"type":"connection_init","payload":{"token":"t"}}"#, now);
        let Step::Authenticate(payload) = step else {
            panic!("{step:?}")
        };
        assert_eq!(payload.get("token"), Some(&json!("t")));
    }

    #[test]
    fn a_second_connection_init_closes_the_socket() {
        let (mut machine, now) = opened();
        machine.receive(INIT_MESSAGE, now);
        closes(&machine.receive(INIT_MESSAGE, now), 4429);
        let (mut machine, now) = ready();
        closes(&machine.receive(INIT_MESSAGE, now), 4429);
    }

    #[test]
    fn a_missing_connection_init_closes_the_socket() {
        let (mut machine, now) = opened();
        assert_eq!(machine.deadline(), now + Duration::from_secs(10));
        assert_eq!(
            machine.tick(now + Duration::from_millis(9_999)),
            Step::Nothing
        );
        closes(&machine.tick(machine.deadline()), 4408);
    }

    #[test]
    fn invalid_messages_close_the_socket() {
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
    fn an_id_can_be_reused_after_its_operation_ends() {
        let (mut machine, now) = ready();
        assert!(matches!(
            machine.receive(&subscribe("1"), now),
            Step::Start { .. }
        ));
        closes(&machine.receive(&subscribe("1"), now), 4409);
        assert!(machine.finish("1", now));
        assert!(!machine.finish("1", now));
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
    fn too_many_operations_do_not_close_the_socket() {
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
    fn pings_are_acknowledged_and_idle_sockets_are_closed() {
        let (mut machine, now) = ready();
        let step = machine.receive(r#"{"type":"ping","payload":{"a":1}}"#, now);
        assert_eq!(
            step,
            Step::Reply(r#"{"payload":{"a":1},"type":"pong"}"#.to_owned())
        );
        assert_eq!(machine.receive(r#"{"type":"pong"}"#, now), Step::Nothing);
        let mut time = now;
        for _ in 0..2 {
            time += PING_INTERVAL;
            assert_eq!(machine.deadline(), time);
            assert_eq!(machine.tick(time), Step::Ping);
        }
        assert_eq!(machine.deadline(), now + IDLE_TIMEOUT);
        closes(&machine.tick(now + IDLE_TIMEOUT), 1001);
        machine.note_activity(now + IDLE_TIMEOUT);
        assert_eq!(
            machine.tick(now + IDLE_TIMEOUT + Duration::from_secs(14)),
            Step::Nothing
        );
    }

    #[test]
    fn an_unused_socket_without_a_user_is_closed() {
        let (mut machine, now) = opened();
        machine.receive(INIT_MESSAGE, now);
        machine.accept(now, Access::Anonymous);
        let mut time = now;
        for _ in 0..3 {
            time += Duration::from_secs(50);
            machine.receive(&subscribe("1"), time);
            // It is not unused while the operation runs.
            time += UNUSED_TIMEOUT + Duration::from_secs(1);
            machine.receive(r#"{"type":"pong"}"#, time);
            assert_eq!(machine.tick(time), Step::Ping);
            machine.finish("1", time);
        }
        machine.receive(r#"{"type":"pong"}"#, time + Duration::from_secs(40));
        assert_eq!(machine.deadline(), time + PING_INTERVAL);
        machine.tick(time + Duration::from_secs(59));
        closes(&machine.tick(time + UNUSED_TIMEOUT), 1001);
    }

    #[test]
    fn an_expired_token_closes_the_socket() {
        let (mut machine, now) = opened();
        machine.receive(INIT_MESSAGE, now);
        machine.accept(now, Access::Until(now + Duration::from_secs(5)));
        assert_eq!(machine.deadline(), now + Duration::from_secs(5));
        closes(&machine.tick(machine.deadline()), 4403);
    }
}
