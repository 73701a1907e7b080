//! Redis fails and recovers, second by second: one node accepts messages, and a listener is connected to another.

use std::time::{Duration, Instant};

use crate::{
    databases::{Postgres, Redis},
    fanout_group::FanoutGroup,
    report::{Report, Second},
    scale::Scale,
    server::Installation,
    sockets::{Listeners, Received},
};

/// Interval between messages.
const SEND_INTERVAL: Duration = Duration::from_millis(50);
/// The longest time that a message may take: without wake-ups, nodes read the log once a second.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    // The remark about a missing Redis is written by `fanout`.
    let Some(mut redis) = Redis::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start();
    let installation = Installation::on_postgres(folder.path(), "PostgreSQL", &postgres);
    let installation = installation.with_redis(&redis.url());
    FanoutGroup::seed(&installation, 1);
    let (sending, listening) = (installation.start(), installation.start());
    let mut group = FanoutGroup::create(&sending, 1).await;
    let mut listeners = Listeners::new();
    group.add_listeners(&mut listeners, &listening, 1).await;
    listeners.discard();
    let started = Instant::now();
    let [with, without, recovered] = scale.outage.map(Duration::from_secs);
    let (mut sent, mut received) = (vec![], vec![]);
    for (end, action) in [
        (with, RedisAction::Kill),
        (with + without, RedisAction::Start),
        (with + without + recovered, RedisAction::Keep),
    ] {
        while started.elapsed() < end {
            let at = Instant::now();
            group.send(&format!("number {}", sent.len())).await;
            sent.push(at);
            let rest = || SEND_INTERVAL.saturating_sub(at.elapsed());
            while let Some(frame) = listeners.next_within(rest()).await {
                received.push(frame);
            }
        }
        match action {
            RedisAction::Kill => redis.kill(),
            RedisAction::Start => assert!(redis.restart()),
            RedisAction::Keep => {}
        }
    }
    while received.len() < sent.len() {
        let Some(frame) = listeners.next_within(TIMEOUT).await else {
            break;
        };
        received.push(frame);
    }
    let lost = (sent.len() - received.len()) as f64;
    let restarted = (with + without).as_secs_f64();
    let mut figure = |name: &str, value, unit| report.figure(name.to_owned(), value, unit);
    figure("Redis outage: lost", lost, "messages");
    figure("Redis outage: begins at second", with.as_secs_f64(), "s");
    figure("Redis outage: ends at second", restarted, "s");
    report.outage(by_second(started, &sent, &received));
}

/// What happens to Redis at the end of a phase.
enum RedisAction {
    Kill,
    Start,
    Keep,
}

/// Groups the messages by the second in which they were sent.
fn by_second(started: Instant, sent: &[Instant], received: &[Received]) -> Vec<Second> {
    let second = |at: Instant| usize::try_from((at - started).as_secs()).unwrap_or_default();
    let last = sent.last().map_or(0, |&at| second(at));
    let mut seconds = vec![Second::default(); last + 1];
    for &at in sent {
        seconds[second(at)].sent += 1;
    }
    for received in received {
        let sent_at = sent[number(received)];
        let second = &mut seconds[second(sent_at)];
        second.received += 1;
        second.worst = second.worst.max(received.at - sent_at);
    }
    seconds
}

/// The number in the body of the message.
fn number(received: &Received) -> usize {
    let text = received.frame.to_text().unwrap();
    let rest = text.split("\"number ").nth(1).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}
