//! Collects the measurements: medians over the rounds, single figures, and the goals. Prints them as tables and stores
//! them as JSON.

use std::{collections::BTreeMap, fs, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::LoadResult,
    format::{median, number, percentile, text},
    gaps::Gaps,
    goals, machine,
    server::CpuTime,
};

/// The folder of the stored results.
pub(crate) const FOLDER: &str = "target/bench";

/// One operation on one server in one round.
#[derive(Debug)]
pub(crate) struct Row {
    operation: String,
    callers: usize,
    server: String,
    per_second: f64,
    /// The median and the 99th percentile, if each request was timed.
    times: Option<[Duration; 2]>,
    server_us: f64,
    database_us: f64,
    statements: Option<f64>,
}

impl Row {
    /// `requests` is the number of requests per operation.
    pub(crate) fn of(
        server: &str,
        operation: &str,
        callers: usize,
        load: &LoadResult,
        requests: u32,
        cpu_time: CpuTime,
    ) -> Self {
        let mut times = load.times.clone();
        times.sort_unstable();
        let count = times.len() as f64 / f64::from(requests);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count;
        Self {
            operation: operation.to_owned(),
            callers,
            server: server.to_owned(),
            per_second: count / load.took.as_secs_f64(),
            times: Some([50, 99].map(|percent| percentile(&times, percent) * requests)),
            server_us: each(cpu_time.server),
            database_us: each(cpu_time.database),
            statements: load
                .statements
                .map(|statements| statements * f64::from(requests)),
        }
    }

    /// The result of a tool that does not time each request.
    pub(crate) fn of_tool(
        tool: &str,
        operation: &str,
        callers: usize,
        per_second: f64,
        database_us: f64,
    ) -> Self {
        Self {
            operation: operation.to_owned(),
            callers,
            server: tool.to_owned(),
            per_second,
            times: None,
            server_us: 0.0,
            database_us,
            statements: None,
        }
    }

    fn cpu_us(&self) -> f64 {
        self.server_us + self.database_us
    }
}

/// One second of an outage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Second {
    pub(crate) sent: usize,
    pub(crate) received: usize,
    pub(crate) worst: Duration,
}

/// All measurements of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    figures: Vec<(String, f64, &'static str)>,
    outage: Vec<Second>,
    remarks: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a single figure.
    pub(crate) fn figure(&mut self, name: String, value: f64, unit: &'static str) {
        self.figures.push((name, value, unit));
    }

    /// Adds a remark about how the figures were measured.
    pub(crate) fn remark(&mut self, text: &str) {
        eprintln!("{text}");
        self.remarks.push(text.to_owned());
    }

    pub(crate) fn outage(&mut self, seconds: Vec<Second>) {
        self.outage = seconds;
    }

    /// Returns the results as JSON, with the goals evaluated. `growth` holds the results of an earlier run of that scale.
    pub(crate) fn results(&self, scale: &str, took: Duration, growth: &Value) -> Value {
        let figure =
            |(name, value, unit): &(_, _, _)| json!({ "name": name, "value": value, "unit": unit });
        let second = |(number, second): (usize, &Second)| {
            json!({ "second": number, "sent": second.sent, "received": second.received,
                "worst_ms": second.worst.as_secs_f64() * 1000.0 })
        };
        let mut all = json!({
            "scale": scale,
            "took_seconds": took.as_secs(),
            "machine": machine::describe(),
            "operations": self.operations(),
            "figures": self.figures.iter().map(figure).collect::<Vec<_>>(),
            "outage": self.outage.iter().enumerate().map(second).collect::<Vec<_>>(),
            "remarks": self.remarks,
        });
        let gaps = Gaps::read();
        let goals = goals::all(&all, growth);
        let goals: Vec<Value> = goals.iter().map(|goal| goal.json(&gaps)).collect();
        all["goals"] = json!(goals);
        all
    }

    /// The medians over the rounds, in the order of the first round.
    fn operations(&self) -> Vec<Value> {
        let mut order = vec![];
        let mut groups: BTreeMap<(&str, usize, &str), Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            let key = (row.operation.as_str(), row.callers, row.server.as_str());
            if !groups.contains_key(&key) {
                order.push(key);
            }
            groups.entry(key).or_default().push(row);
        }
        let cpu = |rows: &[&Row]| median(rows.iter().map(|row| row.cpu_us()).collect());
        let line = |key: &(&str, usize, &str)| {
            let rows = &groups[key];
            let of =
                |figure: &dyn Fn(&Row) -> f64| median(rows.iter().map(|row| figure(row)).collect());
            let milliseconds = |index: usize| {
                rows[0].times.map(|_| {
                    of(&|row| {
                        row.times
                            .map_or(0.0, |times| times[index].as_secs_f64() * 1000.0)
                    })
                })
            };
            let database = key.2.split(" on ").nth(1).unwrap_or_default();
            let floor = format!("floor on {database}");
            let floor = groups.get(&(key.0, key.1, floor.as_str()));
            let all = || rows.iter().map(|row| row.cpu_us());
            json!({
                "operation": key.0, "callers": key.1, "server": key.2,
                "per_second": of(&|row| row.per_second),
                "p50_ms": milliseconds(0),
                "p99_ms": milliseconds(1),
                "server_us": of(&|row| row.server_us),
                "database_us": of(&|row| row.database_us),
                "cpu_us": cpu(rows),
                "cpu_us_least": all().fold(f64::INFINITY, f64::min),
                "cpu_us_most": all().fold(0.0, f64::max),
                "to_floor": floor.map(|floor| cpu(rows) / cpu(floor)),
                "statements": rows[0].statements.map(|_| of(&|row| row.statements.unwrap_or_default())),
            })
        };
        order.iter().map(line).collect()
    }
}

/// Prints results as tables.
pub(crate) fn print(results: &Value) {
    println!(
        "| operation | callers | server | CPU µs | of it database | × floor | statements | /s | p50 ms | p99 ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let list = |key: &str| results[key].as_array().cloned().unwrap_or_default();
    for line in list("operations") {
        let number = |key, digits| number(&line[key], digits);
        println!(
            "| {} | {} | {} | {} ({} to {}) | {} | {} | {} | {} | {} | {} |",
            goals::title(text(&line["operation"])),
            line["callers"],
            text(&line["server"]),
            number("cpu_us", 0),
            number("cpu_us_least", 0),
            number("cpu_us_most", 0),
            number("database_us", 0),
            number("to_floor", 2),
            number("statements", 1),
            number("per_second", 0),
            number("p50_ms", 2),
            number("p99_ms", 2),
        );
    }
    println!();
    for figure in list("figures") {
        let value = number(&figure["value"], 1);
        println!(
            "- {}: {value} {}",
            text(&figure["name"]),
            text(&figure["unit"])
        );
    }
    if !list("outage").is_empty() {
        println!("\n| second | sent | received | worst delay, ms |\n|---|---|---|---|");
    }
    for second in list("outage") {
        let worst = number(&second["worst_ms"], 0);
        println!(
            "| {} | {} | {} | {worst} |",
            second["second"], second["sent"], second["received"]
        );
    }
    println!("\n| goal | figure | to reach | figure / goal | |\n|---|---|---|---|---|");
    for goal in list("goals") {
        println!("{}", goals::line(&goal));
    }
    for remark in list("remarks") {
        println!("\n{}", text(&remark));
    }
}

/// Stores results under a name.
pub(crate) fn write(name: &str, results: &Value) {
    fs::create_dir_all(FOLDER).unwrap();
    let file = format!("{FOLDER}/{name}.json");
    fs::write(file, serde_json::to_vec_pretty(results).unwrap()).unwrap();
}

/// Loads the results of an earlier run with the current build profile; null if there are none. Figures of debug and
/// release builds are never mixed.
pub(crate) fn read(name: &str) -> Value {
    read_of(name, machine::profile())
}

/// Loads the results of a run with this build profile; null if there are none.
pub(crate) fn read_of(name: &str, profile: &str) -> Value {
    let results = read_any(name);
    if results["machine"]["profile"] == profile {
        results
    } else {
        Value::Null
    }
}

/// Loads the results of a run with any build profile; null if there are none.
pub(crate) fn read_any(name: &str) -> Value {
    let bytes = fs::read(format!("{FOLDER}/{name}.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
