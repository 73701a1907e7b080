//! One round: runs every operation for a fixed time, each one directly before its floor.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::Value;

use super::target::{Floor, Target};
use crate::{
    client::{Client, NextRequest, operation, run_for},
    operations::{BODY, INBOX, NOOP, SEND, THREAD, TIMELINE, send_variables},
    report::{Report, Row},
    scale::Scale,
    server::Server,
};

/// Where the floors count unread messages, one path per reader.
const INBOXES: [&str; 3] = ["/inbox/0", "/inbox/1", "/inbox/2"];

/// One operation of Heddle and the request to the floor that corresponds to it.
struct Scenario<'a> {
    operation: String,
    callers: usize,
    body: &'a (dyn Fn() -> Bytes + Sync),
    /// Requests to Heddle per operation.
    requests: u32,
    floor: &'static str,
}

pub(crate) async fn run(target: &Target, scale: &Scale, report: &mut Report) {
    let turn = AtomicUsize::new(0);
    let send = || {
        let group = &target.groups[turn.fetch_add(1, Ordering::Relaxed) % target.groups.len()];
        operation(SEND, &send_variables(group, BODY))
    };
    let timeline = operation(TIMELINE, &target.timeline);
    let pages = target.thread.each_ref().map(|page| operation(THREAD, page));
    let page = AtomicUsize::new(0);
    let thread = || pages[page.fetch_add(1, Ordering::Relaxed) % 2].clone();
    let (inbox, noop) = (
        operation(INBOX, &Value::Null),
        operation(NOOP, &Value::Null),
    );
    let (timeline, inbox, noop) = (|| timeline.clone(), || inbox.clone(), || noop.clone());
    let scenario = |operation: &str, callers, body, requests, floor| Scenario {
        operation: operation.to_owned(),
        callers,
        body,
        requests,
        floor,
    };
    let mut scenarios = vec![
        scenario(
            "timeline",
            8,
            &timeline as &(dyn Fn() -> Bytes + Sync),
            1,
            "/timeline",
        ),
        scenario("timeline", 1, &timeline, 1, "/timeline"),
        scenario("thread", 8, &thread, 2, "/thread"),
        scenario("thread", 1, &thread, 2, "/thread"),
        scenario("send", 8, &send, 1, "/send"),
        scenario("send", 64, &send, 1, "/send"),
        scenario("noop", 8, &noop, 1, "/noop"),
    ];
    for (count, path) in scale.unread.iter().zip(INBOXES) {
        scenarios.push(scenario(&format!("inbox {count}"), 8, &inbox, 1, path));
    }
    for scenario in &scenarios {
        let reader = INBOXES.iter().position(|path| *path == scenario.floor);
        let token = reader.map_or(&target.token, |reader| &target.readers[reader]);
        let next = |_| ("/graphql", (scenario.body)());
        let requests = scenario.requests;
        report.add(
            measure(
                &target.heddle,
                Some(token),
                scale,
                scenario,
                requests,
                &next,
            )
            .await,
        );
        if let Floor::Measured(floor) = &target.floor {
            let next = |_| (scenario.floor, Bytes::new());
            report.add(measure(floor, None, scale, scenario, 1, &next).await);
        }
    }
}

async fn measure(
    server: &Server,
    token: Option<&String>,
    scale: &Scale,
    scenario: &Scenario<'_>,
    requests: u32,
    next: NextRequest<'_>,
) -> Row {
    let mut clients = vec![];
    for _ in 0..scenario.callers {
        clients.push(Client::connect(&server.address, token.map(String::as_str)).await);
    }
    let before = server.cpu_time();
    let load = run_for(&mut clients, scale.slot, next).await;
    let cpu_time = server.cpu_time().since(before);
    let (name, callers) = (&scenario.operation, scenario.callers);
    Row::of(&server.name, name, callers, &load, requests, cpu_time)
}
