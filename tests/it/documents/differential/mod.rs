//! Compares the guard with graphql-js, the reference implementation, over random documents: valid and invalid ones, with
//! valid and invalid variables. Both must agree on which documents are valid, on the coerced variables, on how often and
//! in which order the fields are executed, and on the responses to introspection.
//!
//! `HEDDLE_TEST_DOCUMENTS` sets the number of documents, and `HEDDLE_TEST_SEED` repeats a run.

mod damage;
mod executor;
mod generator;
mod oracle;
mod values;

use std::{collections::BTreeMap, sync::Arc};

use apollo_compiler::Schema;
use async_graphql::{Response, Value as Resolved, indexmap::IndexMap};
use heddle::{
    error::Code,
    graphql,
    http::guard::{Admitted, Document, Guard, GuardError, Limits},
};
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::{Map, Value, json};

use self::{executor::Executor, generator::Generator, oracle::Expectation};
use crate::support::seed::seed;

/// The number of documents in an ordinary run, which takes some seconds.
const DOCUMENTS: usize = 3000;
/// Of these many documents, at least one is of each kind of outcome.
const ENOUGH: usize = 1000;

/// One request.
struct Sample {
    query: String,
    operation: Option<String>,
    variables: Map<String, Value>,
}

/// What the guard makes of a request.
enum Outcome {
    Invalid(String),
    /// The variables cannot be coerced.
    Refused(String),
    /// The request is valid, but this server does not run it.
    NotHere,
    Admitted(Box<Admitted>),
}

/// The number of documents.
fn count() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "given to tests, not to the server"
    )]
    let given = std::env::var("HEDDLE_TEST_DOCUMENTS").ok();
    given.map_or(DOCUMENTS, |text| text.parse().unwrap())
}

#[test]
fn documents_mean_what_they_mean_to_graphql_js() {
    let sdl = graphql::sdl();
    let schema = Schema::parse(&sdl, "schema.graphql").unwrap();
    let guard = Guard::new(&sdl, Limits::default()).unwrap();
    let mut generator = Generator::new(&schema, SmallRng::seed_from_u64(seed()));
    let samples: Vec<_> = (0..count()).map(|_| generator.sample()).collect();
    let expectations = oracle::ask(&samples);
    let executor = Executor::new(&schema);
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = vec![];
    for (sample, expectation) in samples.iter().zip(&expectations) {
        let compared = compare(&executor, outcome(&guard, sample), expectation);
        match compared {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(difference) => differences.push(format!(
                "{difference}\n{}\noperation {:?}, variables {}",
                sample.query,
                sample.operation,
                json!(sample.variables)
            )),
        }
    }
    differences.sort_by_key(String::len);
    let shown = differences.iter().take(12).cloned().collect::<Vec<_>>();
    assert!(
        differences.is_empty(),
        "{} differences, {outcomes:?}\n\n{}",
        differences.len(),
        shown.join("\n\n")
    );
    let kinds = ["invalid", "refused", "executed", "introspected", "not here"];
    for kind in kinds {
        let found = outcomes.get(kind).copied().unwrap_or_default();
        assert!(found >= samples.len() / ENOUGH, "{kind}: {outcomes:?}");
    }
}

fn outcome(guard: &Guard, sample: &Sample) -> Outcome {
    let document: Arc<Document> = match guard.read(&sample.query) {
        Ok(document) => document,
        Err(errors) => return rejected(&errors),
    };
    let operation = sample.operation.as_deref();
    match guard.admit(&document, operation, &sample.variables) {
        Ok(admitted) => Outcome::Admitted(Box::new(admitted)),
        Err(errors) => rejected(&errors),
    }
}

fn rejected(errors: &[GuardError]) -> Outcome {
    let first = &errors[0];
    let is_rule = first.message.starts_with("A mutation about accounts");
    if first.code == Code::TooComplex || is_rule {
        return Outcome::NotHere;
    }
    let message = first.message.clone();
    if message.starts_with("Variable `$") && message.contains("`: ") {
        Outcome::Refused(message)
    } else {
        Outcome::Invalid(message)
    }
}

/// Returns the kind of outcome that both agree on, or the difference.
fn compare(
    executor: &Executor<'_>,
    ours: Outcome,
    theirs: &Expectation,
) -> Result<&'static str, String> {
    let Outcome::Admitted(ours) = ours else {
        return match (ours, theirs) {
            (Outcome::NotHere, _) => Ok("not here"),
            // The guard limits the schema's lists after it has coerced the variables.
            (_, Expectation::Invalid(theirs)) if theirs.starts_with("Maximum introspection") => {
                Ok("not here")
            }
            (Outcome::Invalid(_), Expectation::Invalid(_)) => Ok("invalid"),
            // A nullable variable in a oneOf input object. graphql-js 16 overlooks it where that object is not nullable.
            (Outcome::Invalid(ours), _) if ours.contains("must have the type") => Ok("invalid"),
            (Outcome::Refused(_), Expectation::Refused(_)) => Ok("refused"),
            // A condition that is null: graphql-js fails when it evaluates it.
            (
                Outcome::Refused(reason),
                Expectation::Run {
                    failed: Some(_), ..
                },
            ) if reason.ends_with("expected Boolean!, found null.") => Ok("refused"),
            (Outcome::Invalid(ours) | Outcome::Refused(ours), theirs) => {
                Err(format!("we reject ({ours}), they: {theirs:?}"))
            }
            (Outcome::Admitted(_), _) => unreachable!(),
        };
    };
    if matches!(theirs, Expectation::Invalid(theirs) if theirs.starts_with("Maximum introspection"))
    {
        // graphql-js also counts lists that a condition leaves out.
        return Ok("not here");
    }
    let Expectation::Run {
        coerced,
        calls: their_calls,
        failed,
        schema_fields,
    } = theirs
    else {
        return Err(format!("we accept, they: {theirs:?}"));
    };
    let our_variables = serde_json::to_value(&ours.variables).unwrap();
    if canonical(&our_variables) != canonical(coerced) {
        return Err(format!("variables: {our_variables} instead of {coerced}"));
    }
    // A null argument: graphql-js fails before it calls the field, and the server when it does.
    if failed.is_some() {
        return Ok("failed");
    }
    let our_calls = executor.calls(&ours.document);
    if our_calls != *their_calls {
        return Err(format!("fields: {our_calls:?} instead of {their_calls:?}"));
    }
    let Some(introspection) = &ours.introspection else {
        return Ok("executed");
    };
    let empty = Response::new(Resolved::Object(IndexMap::new()));
    let resolved = introspection.add_to(empty);
    let resolved = resolved.ok_or_else(|| "there is no response".to_owned())?;
    let resolved = json_of(&resolved.data);
    if canonical(&resolved) != canonical(schema_fields) {
        return Err(format!("schema: {resolved} instead of {schema_fields}"));
    }
    Ok("introspected")
}

/// Converts a response whose values are JSON text.
fn json_of(value: &Resolved) -> Value {
    match value {
        Resolved::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (key.to_string(), json_of(value)));
            Value::Object(fields.collect())
        }
        Resolved::Binary(json) => serde_json::from_slice(json).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A form in which equal responses are equal: the number 3 is 3.0, an id may be a number, and the lists of a schema have
/// any order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(format!("{}", number.as_f64().unwrap())),
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(canonical).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (key.clone(), canonical(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}
