//! Tests of `protocol`.

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
        r#"{"type":"pong","payload":"x"}"#,
        r#"["subscribe","1",{"query":"{ a }"}]"#,
        r#"{"type":"subscribe","id":"1","payload":null}"#,
        r#"{"type":"subscribe","id":null,"payload":{"query":"{ a }"}}"#,
        r#"{"type":"subscribe","id":"\ud83e","payload":{"query":"{ a }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }"}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"\ud8"}}"#,
        r#"{"type":"ping"} {"type":"ping"}"#,
    ];
    for message in messages {
        let (mut machine, now) = ready();
        closes(&machine.receive(message, now), 4400);
    }
    let (mut machine, now) = ready();
    closes(&machine.receive(&subscribe(&"x".repeat(129)), now), 4400);
}

#[test]
fn values_that_cannot_be_represented_end_only_their_operation() {
    for value in [
        r#""cut \ud83e""#,
        r#"{"i":{"body":"cut \ud83e"}}"#,
        "1e999",
        &format!("{}{}", "[".repeat(500), "]".repeat(500)),
    ] {
        for field in ["query", "variables", "operationName", "extensions", "more"] {
            let (mut machine, now) = ready();
            machine.receive(&subscribe("1"), now);
            let payload = format!(r#"{{"query":"{{ a }}","{field}":{value}}}"#);
            let message = format!(r#"{{"payload":{payload},"id":"2","type":"subscribe"}}"#);
            let step = machine.receive(&message, now);
            assert!(
                matches!(&step, Step::Refuse { id, fault: RequestFault::Value(_) } if id == "2"),
                "{message}: {step:?}"
            );
            // The id is free, and the other operation still runs.
            let again = machine.receive(&subscribe("2"), now);
            assert!(matches!(again, Step::Start { .. }), "{again:?}");
            assert!(machine.finish("1", now));
        }
    }
}

#[test]
fn a_stored_document_is_refused_for_its_operation_alone() {
    let (mut machine, now) = ready();
    let payload = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aa"}}});
    let message = json!({"id": "1", "type": "subscribe", "payload": payload}).to_string();
    let fault = RequestFault::PersistedQuery;
    let id = "1".to_owned();
    assert_eq!(machine.receive(&message, now), Step::Refuse { id, fault });
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let (mut machine, now) = ready();
    let message = format!("\u{feff}{}", subscribe("1"));
    assert!(matches!(machine.receive(&message, now), Step::Start { .. }));
}

#[test]
fn a_pong_repeats_the_payload_of_its_ping() {
    let (mut machine, now) = opened();
    let step = machine.receive(r#"{"type":"ping","payload":{"half":"\ud83e"},"id":1}"#, now);
    let pong = r#"{"type":"pong","payload":{"half":"\ud83e"}}"#;
    assert_eq!(step, Step::Reply(pong.to_owned()));
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
        Step::Reply(r#"{"type":"pong","payload":{"a":1}}"#.to_owned())
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
