//! The figures to reach, and whether they were. Each is looked up in results as they are kept, so that what is printed,
//! kept and drawn is judged by one list.

use serde_json::{Value, json};

use crate::{
    reasons,
    report::{number, text},
};

/// The databases, with what **a** may cost over its floor and what **c** costs the obvious way (async-graphql, `SeaORM`
/// and dataloaders, measured once on a machine like this one), in microseconds.
const DATABASES: [(&str, f64, f64); 2] = [("PostgreSQL", 1.5, 340.0), ("SQLite", 3.0, 190.0)];
/// How much of the obvious way **c** may cost.
const OF_THE_OBVIOUS: f64 = 0.6;
/// What counts as flat.
const FLAT: f64 = 1.3;

/// One figure to reach.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    what: String,
    figure: Option<f64>,
    bound: f64,
    is_least: bool,
    unit: &'static str,
}

impl Goal {
    pub(crate) fn json(&self) -> Value {
        let reached = self.figure.map(|figure| {
            if self.is_least {
                figure >= self.bound
            } else {
                figure <= self.bound
            }
        });
        let reason = reached.is_some_and(|reached| !reached);
        json!({
            "what": self.what, "figure": self.figure, "goal": self.bound, "unit": self.unit,
            "kind": if self.is_least { "at least" } else { "at most" },
            "ratio": self.figure.map(|figure| figure / self.bound),
            "reached": reached,
            "reason": reason.then(|| reasons::of(&self.what)),
        })
    }
}

/// A goal of results, as a line of a table.
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
        _ => format!("**not reached**. {}.", text(&goal["reason"])),
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

/// What an operation is called in full.
pub(crate) fn title(operation: &str) -> String {
    match operation {
        "a" => "a: list of 50".to_owned(),
        "b" => "b: thread of 200".to_owned(),
        "c 0" => "c: 50 conversations, nothing unread".to_owned(),
        "d" => "d: send".to_owned(),
        "n" => "n: nothing".to_owned(),
        other => match unread(other) {
            Some(count) => format!("c: {count} unread in each"),
            None => other.to_owned(),
        },
    }
}

/// How many messages are unread in each conversation that this operation lists.
fn unread(operation: &str) -> Option<usize> {
    operation.strip_prefix("c ")?.parse().ok()
}

/// The processor time that an operation may take on a database where its floor takes `floor`, in microseconds.
pub(crate) fn cpu_goal(operation: &str, database: &str, floor: f64) -> f64 {
    let known = DATABASES.iter().find(|known| known.0 == database);
    let &(_, list, obvious) = known.unwrap_or(&DATABASES[0]);
    match operation {
        "a" => list * floor,
        "b" => 1200.0,
        "d" => 1.5 * floor,
        "n" => 15.0,
        _ => OF_THE_OBVIOUS * obvious,
    }
}

/// What was measured of an operation.
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

/// The **c** operations that were measured, from none unread to most.
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

/// What an earlier run of growth reached, as JSON.
pub(crate) fn of_growth(growth: &Value) -> Value {
    let mut goals = vec![];
    growing(growth, &mut goals);
    goals.iter().map(Goal::json).collect()
}

/// Every goal.
pub(crate) fn all(results: &Value, growth: &Value) -> Vec<Goal> {
    let mut goals = vec![];
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

fn operations(results: &Value, goals: &mut Vec<Goal>) {
    let counts = counts(results);
    for (database, list, obvious) in DATABASES {
        let server = format!("Heddle on {database}");
        let of = |name: &str, callers, key: &str| {
            operation(results, name, callers, &server)?[key].as_f64()
        };
        let on = |name: &str| format!("{name}, {database}");
        goals.push(at_most(on("a"), of("a", 8, "to_floor"), list, "× floor"));
        goals.push(at_most(on("b"), of("b", 8, "cpu_us"), 1200.0, "CPU µs"));
        goals.push(at_most(
            on("b"),
            of("b", 8, "statements"),
            3.0,
            "statements",
        ));
        if let (Some(none), Some(most)) = (counts.first(), counts.last()) {
            let (few, many) = (of(none, 8, "cpu_us"), of(most, 8, "cpu_us"));
            let bound = OF_THE_OBVIOUS * obvious;
            goals.push(at_most(on("c, nothing unread"), few, bound, "CPU µs"));
            goals.push(at_most(
                on(&format!(
                    "c with {} unread over c with none",
                    unread(most).unwrap_or_default()
                )),
                many.zip(few).map(|(many, few)| many / few),
                FLAT,
                "×",
            ));
        }
        goals.push(at_most(on("d"), of("d", 8, "to_floor"), 1.5, "× floor"));
        let rate = if database == "SQLite" { 3000.0 } else { 2500.0 };
        goals.push(at_least(
            on("d, 64 callers"),
            of("d", 64, "per_second"),
            rate,
            "sends/s",
        ));
        goals.push(at_most(on("n"), of("n", 8, "cpu_us"), 15.0, "CPU µs"));
    }
}

fn fan_out(results: &Value, goals: &mut Vec<Goal>) {
    for (database, ..) in DATABASES {
        let of = |what: &str| figure(results, &format!("Heddle on {database}: {what}"));
        let on = |what: &str| format!("1,000 listeners, {what}, {database}");
        goals.push(at_most(
            on("one delivery"),
            of("one of 1000 deliveries"),
            8.0,
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
    goals.push(at_most("a silent listener".to_owned(), idle, 10.0, "KiB"));
    for (database, ..) in DATABASES {
        let of = |what: &str| figure(results, &format!("Heddle on {database}: {what}"));
        let first = format!("first answer after the start, {database}");
        goals.push(at_most(first, of("first answer"), 150.0, "ms"));
        let rest = format!("resident at rest, {database}");
        goals.push(at_most(rest, of("at rest"), 40.0, "MiB"));
    }
}

/// From the smallest to the largest of what was tried; each is to stay as it was.
fn growing(growth: &Value, goals: &mut Vec<Goal>) {
    let steps = growth["steps"].as_array().into_iter().flatten();
    for step in steps {
        let of = |end: &str| operation(growth, text(&step[end][0]), 8, text(&step[end][1]));
        let cpu = |end: &str| of(end)?["cpu_us"].as_f64();
        let figure = cpu("to").zip(cpu("from")).map(|(to, from)| to / from);
        goals.push(at_most(text(&step["what"]).to_owned(), figure, FLAT, "×"));
    }
}
