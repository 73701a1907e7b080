//! graphql-js, in a Node process.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};

use super::Sample;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// What graphql-js makes of a request.
#[derive(Debug)]
#[expect(dead_code, reason = "the reasons are shown when a comparison fails")]
pub(super) enum Expectation {
    Invalid(String),
    /// The variables cannot be coerced.
    Refused(String),
    Run {
        coerced: Value,
        /// The path of each execution of a field, in order.
        calls: Vec<String>,
        /// An argument was null and may not be.
        failed: Option<String>,
        /// The responses to `__schema` and `__type`.
        schema_fields: Value,
    },
}

/// Returns the expectation on each request.
pub(super) fn ask(samples: &[Sample]) -> Vec<Expectation> {
    assert!(
        Path::new(FOLDER).join("node_modules").exists(),
        "the clients are not installed: sh tests/run does it, or npm ci in tests/clients"
    );
    let mut node = Command::new("node")
        .arg("oracle.js")
        .current_dir(FOLDER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut questions = node.stdin.take().unwrap();
    let lines: Vec<_> = samples
        .iter()
        .map(|sample| {
            let Sample {
                query,
                operation,
                variables,
            } = sample;
            json!({ "query": query, "operationName": operation, "variables": variables })
                .to_string()
        })
        .collect();
    let lines = lines.join("\n");
    let writer = thread::spawn(move || questions.write_all(lines.as_bytes()));
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let responses = String::from_utf8(output.stdout).unwrap();
    let expectations: Vec<_> = responses.lines().map(expectation).collect();
    assert_eq!(expectations.len(), samples.len());
    expectations
}

fn expectation(line: &str) -> Expectation {
    let mut response: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(reason) = text(&response["invalid"]) {
        return Expectation::Invalid(reason);
    }
    if let Some(reason) = text(&response["refused"]) {
        return Expectation::Refused(reason);
    }
    let calls = response["calls"].as_array().unwrap().iter();
    Expectation::Run {
        calls: calls.map(|call| text(call).unwrap()).collect(),
        failed: text(&response["failed"]),
        coerced: response["coerced"].take(),
        schema_fields: response["schemaFields"].take(),
    }
}
