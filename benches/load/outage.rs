//! Redis goes away and comes back, second by second: somebody speaks at one node and somebody listens at another.

use std::time::{Duration, Instant};

use crate::{
    Scale,
    databases::{Postgres, Redis},
    hall::Hall,
    report::{Report, Second},
    server::Home,
    sockets::{Ears, Word},
};

/// How far messages are apart.
const APART: Duration = Duration::from_millis(50);
/// The longest that a message may be under way: nodes look once a second by themselves.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    // That it is missing was said where deliveries were measured.
    let Some(mut redis) = Redis::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start();
    let home = Home::on_postgres(folder.path(), "PostgreSQL", &postgres).with_redis(&redis.url());
    Hall::seed(&home, 1);
    let (speaking, listening) = (home.start(), home.start());
    let mut hall = Hall::open(&speaking, 1).await;
    let mut ears = Ears::new();
    hall.fill(&mut ears, &listening, 1).await;
    ears.forget();
    let begun = Instant::now();
    let [with, without, again] = scale.outage.map(Duration::from_secs);
    let (mut sent, mut heard) = (vec![], vec![]);
    for (ends, act) in [
        (with, Act::Kill),
        (with + without, Act::Start),
        (with + without + again, Act::Wait),
    ] {
        while begun.elapsed() < ends {
            let at = Instant::now();
            hall.says(&format!("number {}", sent.len())).await;
            sent.push(at);
            while let Some(word) = ears.hear_within(APART.saturating_sub(at.elapsed())).await {
                heard.push(word);
            }
        }
        match act {
            Act::Kill => redis.is_killed(),
            Act::Start => assert!(redis.again()),
            Act::Wait => {}
        }
    }
    while heard.len() < sent.len() {
        let Some(word) = ears.hear_within(PATIENCE).await else {
            break;
        };
        heard.push(word);
    }
    report.note(
        "Redis away: lost".to_owned(),
        (sent.len() - heard.len()) as f64,
        "messages",
    );
    report.note(
        "Redis away: from second".to_owned(),
        with.as_secs_f64(),
        "s",
    );
    report.note(
        "Redis back: from second".to_owned(),
        (with + without).as_secs_f64(),
        "s",
    );
    report.outage(by_second(begun, &sent, &heard));
}

/// What happens at the end of a stretch.
enum Act {
    Kill,
    Start,
    Wait,
}

/// By the second in which each was sent.
fn by_second(begun: Instant, sent: &[Instant], heard: &[Word]) -> Vec<Second> {
    let second = |at: Instant| usize::try_from((at - begun).as_secs()).unwrap_or_default();
    let last = sent.last().map_or(0, |&at| second(at));
    let mut seconds = vec![Second::default(); last + 1];
    for &at in sent {
        seconds[second(at)].sent += 1;
    }
    for word in heard {
        let at = sent[number(word)];
        let one = &mut seconds[second(at)];
        one.heard += 1;
        one.worst = one.worst.max(word.at - at);
    }
    seconds
}

/// Which message it was.
fn number(word: &Word) -> usize {
    let text = word.text.to_text().unwrap();
    let rest = text.split("\"number ").nth(1).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}
