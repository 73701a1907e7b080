//! What was measured, as a table for people and as JSON for programs.

use std::{collections::BTreeMap, fs, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::Stretch,
    server::{Server, Spent},
};

/// One stretch of one operation on one server.
#[derive(Debug)]
pub(crate) struct Row {
    operation: &'static str,
    callers: usize,
    server: &'static str,
    per_second: f64,
    p50: Duration,
    p99: Duration,
    server_us: f64,
    database_us: f64,
    statements: Option<u64>,
}

impl Row {
    /// `parts` requests make one operation.
    pub(crate) fn of(
        server: &Server,
        operation: &'static str,
        callers: usize,
        done: &Stretch,
        parts: u32,
        (before, after): (Spent, Spent),
    ) -> Self {
        let mut times = done.times.clone();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)] * parts;
        let count = times.len() as f64 / f64::from(parts);
        let each =
            |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() * 1e6 / count;
        Self {
            operation,
            callers,
            server: server.name,
            per_second: count / done.took.as_secs_f64(),
            p50: at(50),
            p99: at(99),
            server_us: each(before.server, after.server),
            database_us: each(before.database, after.database),
            statements: done
                .statements
                .map(|statements| statements * u64::from(parts)),
        }
    }
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    notes: Vec<(String, f64, &'static str)>,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// A figure of its own.
    pub(crate) fn note(&mut self, name: String, value: f64, unit: &'static str) {
        self.notes.push((name, value, unit));
    }

    /// Medians over the rounds, in the order in which things were first measured.
    fn lines(&self) -> Vec<Value> {
        let mut order = vec![];
        let mut groups: BTreeMap<(&str, usize, &str), Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            let key = (row.operation, row.callers, row.server);
            if !groups.contains_key(&key) {
                order.push(key);
            }
            groups.entry(key).or_default().push(row);
        }
        let cpu = |row: &Row| row.server_us + row.database_us;
        let mut lines = vec![];
        for key in &order {
            let rows = &groups[key];
            let of =
                |figure: &dyn Fn(&Row) -> f64| median(rows.iter().map(|row| figure(row)).collect());
            let database = key.2.split(" on ").nth(1).unwrap_or_default();
            let floor = format!("floor on {database}");
            let floor = groups.get(&(key.0, key.1, floor.as_str()));
            let floor = floor.map(|rows| median(rows.iter().map(|row| cpu(row)).collect()));
            let all: Vec<f64> = rows.iter().map(|row| cpu(row)).collect();
            lines.push(json!({
                "operation": key.0, "callers": key.1, "server": key.2,
                "per_second": of(&|row| row.per_second),
                "p50_ms": of(&|row| row.p50.as_secs_f64() * 1000.0),
                "p99_ms": of(&|row| row.p99.as_secs_f64() * 1000.0),
                "server_us": of(&|row| row.server_us),
                "database_us": of(&|row| row.database_us),
                "cpu_us": of(&cpu),
                "cpu_us_least": all.iter().copied().fold(f64::INFINITY, f64::min),
                "cpu_us_most": all.iter().copied().fold(0.0, f64::max),
                "to_floor": floor.map(|floor| of(&cpu) / floor),
                "statements": rows[0].statements,
            }));
        }
        lines
    }

    pub(crate) fn print(&self) {
        println!(
            "| operation | callers | server | CPU µs | of it database | × floor | statements | /s | p50 ms | p99 ms |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for line in self.lines() {
            let number = |key: &str, digits: usize| {
                line[key]
                    .as_f64()
                    .map_or_else(String::new, |value| format!("{value:.digits$}"))
            };
            println!(
                "| {} | {} | {} | {} ({} to {}) | {} | {} | {} | {} | {} | {} |",
                line["operation"].as_str().unwrap_or_default(),
                line["callers"],
                line["server"].as_str().unwrap_or_default(),
                number("cpu_us", 0),
                number("cpu_us_least", 0),
                number("cpu_us_most", 0),
                number("database_us", 0),
                number("to_floor", 2),
                number("statements", 0),
                number("per_second", 0),
                number("p50_ms", 2),
                number("p99_ms", 2),
            );
        }
        println!();
        for (name, value, unit) in &self.notes {
            println!("- {name}: {value:.1} {unit}");
        }
    }

    pub(crate) fn write(&self) {
        let notes: Vec<_> = self
            .notes
            .iter()
            .map(|(name, value, unit)| json!({ "name": name, "value": value, "unit": unit }))
            .collect();
        let all = json!({ "operations": self.lines(), "figures": notes });
        fs::create_dir_all("target/bench").unwrap();
        fs::write(
            "target/bench/load.json",
            serde_json::to_vec_pretty(&all).unwrap(),
        )
        .unwrap();
    }
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
