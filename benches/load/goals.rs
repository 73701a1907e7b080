//! The goals and whether they are reached. They are computed from stored results, so that the terminal, the page and
//! the chart use the same list.

use serde_json::{Value, json};

use crate::{
    format::{number, text},
    gaps::Gaps,
};

/// The databases, with the goal for `timeline` as a multiple of its floor, and the cost of `inbox` in a plain
/// implementation (async-graphql, `SeaORM` and data loaders, measured once on a similar machine), in microseconds.
const DATABASES: [(&str, f64, f64); 2] = [("PostgreSQL", 1.5, 257.0), ("SQLite", 3.0, 212.0)];
/// The share of the plain implementation that `inbox` may cost.
const PLAIN_SHARE: f64 = 0.8;
/// The processor time of an empty query, in microseconds.
const NOOP: f64 = 20.0;
/// Messages whose storage has a goal, and the goal, in megabytes.
const STORED: (f64, f64) = (100_000.0, 100.0);
/// The largest ratio of two costs that count as equal.
const FLAT: f64 = 1.3;

#[derive(Clone, Debug)]
pub(crate) struct Goal {
    what: String,
    figure: Option<f64>,
    bound: f64,
    is_least: bool,
    unit: &'static str,
}

impl Goal {
    pub(crate) fn json(&self, gaps: &Gaps) -> Value {
        let reached = self.figure.map(|figure| {
            if self.is_least {
                figure >= self.bound
            } else {
                figure <= self.bound
            }
        });
        let is_missed = reached.is_some_and(|reached| !reached);
        json!({
            "what": self.what, "figure": self.figure, "goal": self.bound, "unit": self.unit,
            "kind": if self.is_least { "at least" } else { "at most" },
            "ratio": self.figure.map(|figure| figure / self.bound),
            "reached": reached,
            "reason": is_missed.then(|| gaps.of(&self.what)),
        })
    }
}

/// Formats a goal of stored results as a row of a table.
pub(crate) fn line(goal: &Value) -> String {
    let digits = |value: &Value| usize::from(value.as_f64().is_some_and(|value| value < 100.0));
    let (what, unit) = (text(&goal["what"]), text(&goal["unit"]));
    let figure = match goal["figure"] {
        Value::Null => "not measured".to_owned(),
        ref figure => format!("{} {unit}", number(figure, digits(figure))),
    };
    let bound = &goal["goal"];
    let outcome = match goal["reached"] {
        Value::Null => String::new(),
        Value::Bool(true) => "reached".to_owned(),
        _ => format!("**not reached**. {}", text(&goal["reason"])),
    };
    let ratio = number(&goal["ratio"], 2);
    let sign = if goal["kind"] == "at least" {
        "≥"
    } else {
        "≤"
    };
    let bound = number(bound, digits(bound));
    format!("| {what} | {figure} | {sign} {bound} {unit} | {ratio} | {outcome} |")
}

/// The title of an operation.
pub(crate) fn title(operation: &str) -> String {
    match operation {
        "timeline" => "timeline: 50 messages".to_owned(),
        "thread" => "thread: 200 messages".to_owned(),
        "inbox 0" => "inbox: 50 conversations, nothing unread".to_owned(),
        other => match unread(other) {
            Some(count) => format!("inbox: {count} unread in each"),
            None => other.to_owned(),
        },
    }
}

/// The number of unread messages in each conversation of an `inbox` operation.
fn unread(operation: &str) -> Option<usize> {
    operation.strip_prefix("inbox ")?.parse().ok()
}

/// The processor time that an operation may take on a database where its floor takes `floor`, in microseconds.
pub(crate) fn cpu_goal(operation: &str, database: &str, floor: f64) -> f64 {
    let known = DATABASES.iter().find(|known| known.0 == database);
    let &(_, timeline, plain) = known.unwrap_or(&DATABASES[0]);
    match operation {
        "timeline" => timeline * floor,
        "thread" => 1200.0,
        "send" => 1.5 * floor,
        "noop" => NOOP,
        _ => PLAIN_SHARE * plain,
    }
}

/// The measurements of an operation.
pub(crate) fn operation<'a>(
    results: &'a Value,
    operation: &str,
    callers: usize,
    server: &str,
) -> Option<&'a Value> {
    results["operations"].as_array()?.iter().find(|line| {
        line["operation"] == operation && line["callers"] == callers && line["server"] == server
    })
}

/// The measured `inbox` operations, from no unread messages to the most.
pub(crate) fn counts(results: &Value) -> Vec<String> {
    let all = results["operations"].as_array().into_iter().flatten();
    let mut found: Vec<String> = vec![];
    for line in all {
        let operation = text(&line["operation"]);
        if unread(operation).is_some() && !found.iter().any(|known| known == operation) {
            found.push(operation.to_owned());
        }
    }
    found
}

fn figure(results: &Value, name: &str) -> Option<f64> {
    let all = results["figures"].as_array()?;
    all.iter().find(|figure| figure["name"] == name)?["value"].as_f64()
}

/// The goals of a run of growth, as JSON.
pub(crate) fn of_growth(growth: &Value) -> Value {
    let gaps = Gaps::read();
    let mut goals = vec![];
    growing(growth, &mut goals);
    goals.iter().map(|goal| goal.json(&gaps)).collect()
}

pub(crate) fn all(results: &Value, growth: &Value) -> Vec<Goal> {
    let mut goals = vec![];
    mixed(results, &mut goals);
    operations(results, &mut goals);
    fan_out(results, &mut goals);
    at_rest(results, &mut goals);
    growing(growth, &mut goals);
    goals
}

fn at_most(what: String, figure: Option<f64>, bound: f64, unit: &'static str) -> Goal {
    Goal {
        what,
        figure,
        bound,
        is_least: false,
        unit,
    }
}

fn at_least(what: String, figure: Option<f64>, bound: f64, unit: &'static str) -> Goal {
    Goal {
        is_least: true,
        ..at_most(what, figure, bound, unit)
    }
}

/// The workload of ordinary sizes.
fn mixed(results: &Value, goals: &mut Vec<Goal>) {
    for (database, times_floor, _) in DATABASES {
        let of = |name: &str, callers, server: &str, key: &str| {
            operation(results, name, callers, &format!("{server} on {database}"))?[key].as_f64()
        };
        let single = |what: &str| figure(results, &format!("Heddle on {database}: {what}"));
        let on = |what: &str| format!("mixed workload: {what}, {database}");
        let send = of("mixed send", 8, "Heddle", "cpu_us");
        let floor = of("send", 8, "floor", "cpu_us");
        let to_floor = send.zip(floor).map(|(send, floor)| send / floor);
        goals.push(at_most(on("send"), to_floor, times_floor, "× floor"));
        let rate = if database == "SQLite" { 3000.0 } else { 2500.0 };
        let per_second = of("mixed send", 64, "Heddle", "per_second");
        goals.push(at_least(
            on("send, 64 callers"),
            per_second,
            rate,
            "sends/s",
        ));
        let listener = |size: usize| single(&format!("one listener in a group of {size}"));
        let ratio = listener(500).zip(listener(2));
        goals.push(at_most(
            on("one listener, group of 500 over group of two"),
            ratio.map(|(large, small)| large / small),
            1.5,
            "×",
        ));
        let (count, most) = STORED;
        let stored = single("message to a group of 500");
        goals.push(at_most(
            on("100,000 messages to a group of 500"),
            stored.map(|bytes| bytes * count / 1e6),
            most,
            "MB",
        ));
        let missed = single("10000 missed messages");
        let what = format!("10,000 missed messages, {database}");
        goals.push(at_most(what, missed, 2.0, "s"));
    }
}

fn operations(results: &Value, goals: &mut Vec<Goal>) {
    let counts = counts(results);
    for (database, timeline, plain) in DATABASES {
        let server = format!("Heddle on {database}");
        let of = |name: &str, callers, key: &str| {
            operation(results, name, callers, &server)?[key].as_f64()
        };
        let on = |name: &str| format!("{name}, {database}");
        goals.push(at_most(
            on("timeline"),
            of("timeline", 8, "to_floor"),
            timeline,
            "× floor",
        ));
        goals.push(at_most(
            on("thread"),
            of("thread", 8, "cpu_us"),
            1200.0,
            "CPU µs",
        ));
        goals.push(at_most(
            on("thread"),
            of("thread", 8, "statements"),
            3.0,
            "statements",
        ));
        if let (Some(none), Some(most)) = (counts.first(), counts.last()) {
            let (few, many) = (of(none, 8, "cpu_us"), of(most, 8, "cpu_us"));
            let bound = PLAIN_SHARE * plain;
            goals.push(at_most(on("inbox, nothing unread"), few, bound, "CPU µs"));
            goals.push(at_most(
                on(&format!(
                    "inbox with {} unread over inbox with none",
                    unread(most).unwrap_or_default()
                )),
                many.zip(few).map(|(many, few)| many / few),
                FLAT,
                "×",
            ));
        }
        goals.push(at_most(
            on("send"),
            of("send", 8, "to_floor"),
            1.5,
            "× floor",
        ));
        let rate = if database == "SQLite" { 3000.0 } else { 2500.0 };
        goals.push(at_least(
            on("send, 64 callers"),
            of("send", 64, "per_second"),
            rate,
            "sends/s",
        ));
        goals.push(at_most(on("noop"), of("noop", 8, "cpu_us"), NOOP, "CPU µs"));
    }
}

fn fan_out(results: &Value, goals: &mut Vec<Goal>) {
    for (database, ..) in DATABASES {
        let of = |what: &str| figure(results, &format!("Heddle on {database}: {what}"));
        let on = |what: &str| format!("1,000 listeners, {what}, {database}");
        goals.push(at_most(
            on("one delivery"),
            of("one of 1000 deliveries"),
            10.0,
            "CPU µs",
        ));
        goals.push(at_least(
            on("deliveries"),
            of("deliveries to 1000"),
            60_000.0,
            "/s",
        ));
        goals.push(at_most(
            on("10 messages a second, p99"),
            of("delivery to 1000, p99"),
            40.0,
            "ms",
        ));
    }
}

fn at_rest(results: &Value, goals: &mut Vec<Goal>) {
    let idle = figure(results, "idle listener");
    goals.push(at_most("one idle listener".to_owned(), idle, 10.0, "KiB"));
    for (database, ..) in DATABASES {
        let of = |what: &str| figure(results, &format!("Heddle on {database}: {what}"));
        let first = format!("first response after the start, {database}");
        goals.push(at_most(first, of("first response"), 150.0, "ms"));
        let rest = format!("resident at rest, {database}");
        goals.push(at_most(rest, of("at rest"), 40.0, "MiB"));
    }
}

/// The cost at the largest size over the cost at the smallest one.
fn growing(growth: &Value, goals: &mut Vec<Goal>) {
    let steps = growth["steps"].as_array().into_iter().flatten();
    for step in steps {
        let of = |end: &str| operation(growth, text(&step[end][0]), 8, text(&step[end][1]));
        let cpu = |end: &str| of(end)?["cpu_us"].as_f64();
        let figure = cpu("to").zip(cpu("from")).map(|(to, from)| to / from);
        goals.push(at_most(text(&step["what"]).to_owned(), figure, FLAT, "×"));
    }
    for (database, ..) in DATABASES {
        let server = format!("Heddle on {database}");
        let inbox = operation(growth, "inbox of 10000 conversations", 8, &server);
        let Some(cpu) = inbox.and_then(|inbox| inbox["cpu_us"].as_f64()) else {
            continue;
        };
        let what = format!("first 50 of 10,000 conversations, {database}");
        goals.push(at_most(what, Some(cpu / 1000.0), 2.0, "ms"));
    }
}
