//! The `graphql-transport-ws` protocol as a state machine without I/O and without a clock: it receives messages and the
//! time, and returns the step to perform.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json, json, value::RawValue};
use tokio::time::Instant;

use crate::http::request::{BYTE_ORDER_MARK, GraphqlRequest, RequestFault};

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

    /// Whether it is the client that did not keep to the protocol or that may not connect.
    pub(super) fn is_refusal(self) -> bool {
        matches!(self.code, 1002 | 1007..=1009 | 4400..=4499)
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
    /// Reject this operation, whose request cannot be executed.
    Refuse {
        id: String,
        fault: RequestFault,
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

/// A message of the client. Its parts are decoded separately: an operation with a value that cannot be represented does
/// not make the message invalid, which would end all operations of the socket.
#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    ConnectionInit,
    Ping,
    Pong,
    Subscribe,
    Complete,
}

impl<'a> Incoming<'a> {
    /// Parses a message. A byte order mark before it is ignored, as before other JSON.
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let is_object = text.trim_start().starts_with('{');
        serde_json::from_str(text).ok().filter(|_| is_object)
    }

    /// The payload of messages whose payload is an optional object.
    fn object(&self) -> Result<Option<&'a RawValue>, Close> {
        let is_object = |payload: &&RawValue| payload.get().starts_with('{');
        match self.payload {
            Some(payload) if !is_object(&payload) => Err(Close::INVALID),
            payload => Ok(payload),
        }
    }
}

/// Decodes a part of a message.
fn decode<T: DeserializeOwned>(part: Option<&RawValue>) -> Result<T, Close> {
    let part = part.ok_or(Close::INVALID)?;
    serde_json::from_str(part.get()).map_err(|_invalid| Close::INVALID)
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
        let Some(message) = Incoming::parse(text) else {
            return Step::Close(Close::INVALID);
        };
        self.handle(&message, now).unwrap_or_else(Step::Close)
    }

    fn handle(&mut self, message: &Incoming<'_>, now: Instant) -> Result<Step, Close> {
        Ok(match message.kind {
            Kind::ConnectionInit => {
                let payload = message.object()?;
                let payload = payload.map_or_else(|| Ok(Map::new()), |object| decode(Some(object)));
                if self.phase != Phase::Opened {
                    return Err(Close::REPEATED_INIT);
                }
                let payload = payload?;
                self.phase = Phase::Authenticating;
                Step::Authenticate(payload)
            }
            Kind::Ping => Step::Reply(match message.object()? {
                None => json!({"type": "pong"}).to_string(),
                Some(payload) => format!(r#"{{"type":"pong","payload":{payload}}}"#),
            }),
            Kind::Pong => {
                message.object()?;
                Step::Nothing
            }
            Kind::Subscribe => {
                let payload = message.payload.ok_or(Close::INVALID)?;
                self.subscribe(decode(message.id)?, payload)?
            }
            Kind::Complete => {
                let id: String = decode(message.id)?;
                if self.finish(&id, now) {
                    Step::Stop { id }
                } else {
                    // The operation ended while the message was in transit.
                    Step::Nothing
                }
            }
        })
    }

    fn subscribe(&mut self, id: String, payload: &RawValue) -> Result<Step, Close> {
        if !self.is_ready() {
            return Err(Close::UNAUTHORIZED);
        }
        if id.is_empty() || id.len() > MAX_ID_LENGTH {
            return Err(Close::INVALID);
        }
        if self.operations.contains(&id) {
            return Err(Close::DUPLICATE);
        }
        let request = match GraphqlRequest::from_payload(payload) {
            Ok(request) => request,
            // The protocol defines the fields of the payload and their types.
            Err(RequestFault::Shape(_)) => return Err(Close::INVALID),
            Err(fault) => return Ok(Step::Refuse { id, fault }),
        };
        if self.operations.len() >= MAX_OPERATIONS {
            return Ok(Step::TooMany {
                id,
                maximum: MAX_OPERATIONS,
            });
        }
        self.operations.insert(id.clone());
        Ok(Step::Start { id, request })
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
#[path = "protocol_tests.rs"]
mod tests;
