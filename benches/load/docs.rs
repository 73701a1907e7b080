//! The part of docs/performance.md that is measured, and its picture, from results that were kept.

use std::fs;

use serde_json::Value;

use crate::{
    drawing, goals,
    report::{FOLDER, number, read_any, read_of, text},
};

const PAGE: &str = "docs/performance.md";
const PICTURE: &str = "docs/performance.svg";
/// Everything between them is written here.
const BEGIN: &str = "<!-- measured: written by `just bench-docs` -->";
const END: &str = "<!-- end of measured -->";

/// Writes both from the results of this name.
pub(crate) fn write(name: &str) {
    let results = read_any(name);
    if results["operations"].is_null() {
        eprintln!(
            "{FOLDER}/{name}.json holds no results: run `just bench` or `just bench quick` first"
        );
        std::process::exit(1);
    }
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("where the measured part begins");
    let (_, after) = rest.split_once(END).expect("where it ends");
    let growth = read_of("growth", text(&results["machine"]["profile"]));
    let measured = part(&results, &growth);
    fs::write(PAGE, format!("{before}{BEGIN}\n\n{measured}\n{END}{after}")).unwrap();
    fs::write(PICTURE, drawing::bars(&results)).unwrap();
    println!("{PAGE} and {PICTURE} are written");
}

fn part(results: &Value, growth: &Value) -> String {
    let mut lines = vec![introduction(results)];
    lines.push(String::new());
    lines.push("![Processor time over the floor](performance.svg)".to_owned());
    lines.extend(
        [
            "",
            "### Goals",
            "",
            "| | Figure | Goal | Figure / goal | |",
            "|---|---|---|---|---|",
        ]
        .map(str::to_owned),
    );
    // Judged again: reasons may have changed since.
    let goals = goals::all(results, growth).into_iter();
    lines.extend(goals.map(|goal| goals::line(&goal.json())));
    lines.extend(
        [
            "",
            "### Operations",
            "",
            "| | CPU µs | of it database | × floor | statements | a second | p50 ms | p99 ms |",
            "|---|---|---|---|---|---|---|---|",
        ]
        .map(str::to_owned),
    );
    lines.extend(list(results, "operations").iter().map(operation));
    lines.extend(["", "### Figures", "", "| | | |", "|---|---|---|"].map(str::to_owned));
    lines.extend(list(results, "figures").iter().map(figure));
    lines.extend(outage(results));
    lines.extend(growing(growth));
    for remark in list(results, "remarks") {
        lines.extend([
            String::new(),
            format!("Not measured as meant: {}.", text(remark)),
        ]);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn list<'a>(results: &'a Value, key: &str) -> &'a [Value] {
    results[key].as_array().map_or(&[], Vec::as_slice)
}

/// What it ran on, without which figures say nothing.
fn introduction(results: &Value) -> String {
    let machine = &results["machine"];
    let or_none = |key: &str| {
        match text(&machine[key]) {
            "" => "none",
            value => value,
        }
        .to_owned()
    };
    let mut told = format!(
        "Measured on {} at `{}`, scale `{}`: {} cores of {}, {} GiB, {}; SQLite {}, PostgreSQL {}, Redis {}. \
         The callers ran on the same cores.",
        or_none("measured_on"),
        or_none("commit"),
        text(&results["scale"]),
        machine["cores"],
        or_none("processor"),
        number(&machine["memory_gib"], 0),
        or_none("kernel"),
        or_none("sqlite"),
        or_none("postgresql"),
        or_none("redis"),
    );
    if machine["profile"] != "release" {
        told.push_str(" **A debug build: the figures say nothing about speed.**");
    }
    told
}

fn operation(line: &Value) -> String {
    let callers = match line["callers"].as_u64() {
        Some(1) => "one caller".to_owned(),
        _ => format!("{} callers", line["callers"]),
    };
    let number = |key, digits| number(&line[key], digits);
    format!(
        "| {}, {callers}: {} | {} | {} | {} | {} | {} | {} | {} |",
        goals::title(text(&line["operation"])),
        text(&line["server"]),
        number("cpu_us", 0),
        number("database_us", 0),
        number("to_floor", 1),
        number("statements", 1),
        number("per_second", 0),
        number("p50_ms", 2),
        number("p99_ms", 2),
    )
}

fn figure(figure: &Value) -> String {
    let value = number(&figure["value"], 1);
    format!(
        "| {} | {value} | {} |",
        text(&figure["name"]),
        text(&figure["unit"])
    )
}

fn outage(results: &Value) -> Vec<String> {
    let seconds = list(results, "outage");
    if seconds.is_empty() {
        return vec![];
    }
    let mut lines = [
        "",
        "### Redis goes away, second by second",
        "",
        "Somebody sends a message every 50 ms at one node, somebody listens at another.",
        "",
        "| Second | sent | heard | longest delay, ms |",
        "|---|---|---|---|",
    ]
    .map(str::to_owned)
    .to_vec();
    lines.extend(seconds.iter().map(|second| {
        let worst = number(&second["worst_ms"], 0);
        format!(
            "| {} | {} | {} | {worst} |",
            second["second"], second["sent"], second["heard"]
        )
    }));
    lines
}

fn growing(growth: &Value) -> Vec<String> {
    let operations = list(growth, "operations");
    if operations.is_empty() {
        return vec![];
    }
    let mut lines = ["", "### Growth", "", &introduction(growth), ""]
        .map(str::to_owned)
        .to_vec();
    lines.extend(["| | CPU µs | p50 ms |", "|---|---|---|"].map(str::to_owned));
    lines.extend(operations.iter().map(|line| {
        let name = goals::title(text(&line["operation"]));
        let (server, cpu) = (text(&line["server"]), number(&line["cpu_us"], 0));
        let time = number(&line["p50_ms"], 2);
        format!(
            "| {name}, {} callers: {server} | {cpu} | {time} |",
            line["callers"]
        )
    }));
    lines
}
