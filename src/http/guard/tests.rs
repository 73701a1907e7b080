//! Tests of the guard through its public functions: what it admits and rejects, and that no text makes it panic or
//! run for long.

use std::sync::Arc;

use async_graphql::Variables;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::error::Code;

const SDL: &str = r"
schema { query: Query mutation: Mutation subscription: Subscription }
type Query {
  viewer: User
  user(by: UserLookup!): User
  users(first: Int = 20, after: String, tags: [String!]): UserConnection
  nodes(ids: [ID!]!): [User]!
  when(at: DateTime, role: Role, count: Int, ratio: Float, on: Boolean = true): String
}
type User { id: ID! name: String friends(first: Int = 20, last: Int): UserConnection }
type UserConnection { edges: [UserEdge!]! }
type UserEdge { node: User! }
type Mutation { signIn(input: String): User sendMessage(input: String): User }
type Subscription { events(after: String): User other: User }
input UserLookup @oneOf { id: ID username: String }
input Profile { name: String! lookup: UserLookup nested: Profile level: Int! = 3 }
enum Role { MEMBER OWNER }
scalar DateTime
";

fn guard() -> Guard {
    Guard::new(SDL, Limits::default()).unwrap()
}

fn admit(text: &str) -> Result<Admitted, GuardError> {
    admit_with(text, &json!({}))
}

fn admit_with(text: &str, variables: &Json) -> Result<Admitted, GuardError> {
    let guard = guard();
    let document = guard.read(text)?;
    guard
        .admit(&document, None, variables.as_object().unwrap())
        .map_err(|mut all| all.remove(0))
}

#[track_caller]
fn exceeds(limit: &str, text: &str) {
    let error = admit(text).unwrap_err();
    assert_eq!(error.code, Code::TooComplex, "{error:?}");
    assert_eq!(error.exceeded.unwrap().limit, limit, "{error:?}");
}

#[track_caller]
fn is_invalid(text: &str) {
    let error = admit(text).unwrap_err();
    assert_eq!(error.code, Code::BadUserInput, "{error:?}");
    assert_eq!(error.stage, Stage::Validation, "{error:?}");
}

fn printed(admitted: &Admitted) -> String {
    format!("{:?}", admitted.document)
}

fn repeat(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().concat()
}

/// Fragments that each spread the next one twice, `levels` of them.
fn doubling(levels: usize) -> String {
    let chain = repeat(levels, |n| {
        format!("fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1)
    });
    format!("{{ ...F0 }} {chain} fragment F{levels} on Query {{ viewer {{ id }} }}")
}

#[test]
fn the_standard_introspection_query_passes() {
    let admitted = admit(include_str!("introspection.graphql")).unwrap();
    assert!(admitted.introspects);
    assert_eq!(admitted.name.as_deref(), Some("IntrospectionQuery"));
}

#[test]
fn an_exceeded_limit_is_named() {
    let aliases = repeat(16, |n| format!("a{n}: __typename "));
    exceeds("aliases", &format!("{{ {aliases} }}"));
    let deep = format!("{} id {}", "viewer {".repeat(15), "}".repeat(15));
    exceeds("depth", &format!("{{ {deep} }}"));
    let operations = repeat(11, |n| format!("query Q{n} {{ viewer {{ id }} }} "));
    exceeds("operations", &operations);
    let fragments = repeat(51, |n| format!("fragment F{n} on User {{ id }} "));
    exceeds("fragments", &format!("{{ viewer {{ id }} }} {fragments}"));
    exceeds(
        "nesting",
        &format!(
            "{{ viewer {{ {} id {} }} }}",
            "... {".repeat(31),
            "}".repeat(31)
        ),
    );
    exceeds("fields", &doubling(10));
    exceeds(
        "cost",
        "{ users(first: 100) { edges { node { friends(last: 100) { edges { node { id } } } } } } }",
    );
}

#[test]
fn nesting_counts_through_fragments() {
    let chain = repeat(40, |n| {
        format!("fragment F{n} on Query {{ ...F{} }} ", n + 1)
    });
    exceeds(
        "nesting",
        &format!("{{ ...F0 }} {chain} fragment F40 on Query {{ viewer {{ id }} }}"),
    );
}

#[test]
fn page_sizes_count_from_arguments_variables_and_defaults() {
    let text = "query($n: Int = 100) { users(first: $n) { edges { node { id name friends { edges { node { id } } } } } } }";
    assert_eq!(admit(text).unwrap_err().exceeded.unwrap().limit, "cost");
    let given = admit_with(text, &json!({"n": 5})).unwrap();
    assert_eq!(
        given.variables.get("n"),
        Some(&async_graphql::Value::from(5))
    );
    // Without an argument, each list returns 20 items: 20 * (2 + ...) stays below the limit.
    admit("{ users { edges { node { id friends { edges { node { id } } } } } } }").unwrap();
    let ids = repeat(100, |n| format!("\"{n}\" "));
    exceeds(
        "cost",
        &format!(
            "{{ nodes(ids: [{ids}]) {{ friends(first: 20) {{ edges {{ node {{ id }} }} }} }} }}"
        ),
    );
}

#[test]
fn negative_and_huge_sizes_do_not_wrap() {
    admit("{ users(first: -1) { edges { node { id } } } }").unwrap();
    exceeds(
        "cost",
        "{ users(first: 18446744073709551615, last: 18446744073709551615) { edges { node { id } } } }",
    );
}

#[test]
fn fragments_must_be_acyclic_and_used() {
    is_invalid("{ viewer { ...A } } fragment A on User { friends { edges { node { ...A } } } }");
    is_invalid("{ viewer { ...A } } fragment A on User { ...B } fragment B on User { ...A }");
    is_invalid("{ viewer { id } } fragment A on User { id }");
}

#[test]
fn unselected_operations_and_fragments_are_removed() {
    let guard = guard();
    let text = "query A { viewer { ...X } } query B { viewer { ...Y } }
        fragment X on User { name } fragment Y on User { id }";
    let document = guard.read(text).unwrap();
    let none = Map::new();
    let admitted = guard.admit(&document, Some("B"), &none).unwrap();
    assert_eq!(admitted.name.as_deref(), Some("B"));
    assert!(
        !printed(&admitted).contains("\"X\""),
        "{}",
        printed(&admitted)
    );
    for wrong in [None, Some("C")] {
        let errors = guard.admit(&document, wrong, &none).unwrap_err();
        assert_eq!(errors[0].code, Code::BadUserInput);
    }
}

#[test]
fn sensitive_mutations_must_be_the_only_field() {
    admit("mutation { signIn { id } }").unwrap();
    admit("mutation { a: sendMessage { id } b: sendMessage { id } }").unwrap();
    is_invalid("mutation { a: signIn { id } b: signIn { id } }");
    is_invalid("mutation { ...F } fragment F on Mutation { sendMessage { id } signIn { id } }");
    is_invalid("mutation { signIn { id } ... { signIn { id } } }");
}

#[test]
fn subscriptions_have_exactly_one_root_field() {
    let admitted = admit("subscription { ...F } fragment F on Subscription { events { ...U } } fragment U on User { id }").unwrap();
    assert!(
        !printed(&admitted).contains("\"F\""),
        "{}",
        printed(&admitted)
    );
    assert!(printed(&admitted).contains("\"U\""));
    is_invalid("subscription { events { id } other { id } }");
    is_invalid("subscription { ...F ...F } fragment F on Subscription { events { id } }");
    is_invalid("subscription { __typename }");
    is_invalid("subscription($x: Boolean!) { events @include(if: $x) { id } }");
}

#[test]
fn invalid_variables_are_rejected() {
    let wrong = [
        ("$x: Int", json!("1")),
        ("$x: Int", json!(1.5)),
        ("$x: Int", json!(2_147_483_648_u64)),
        ("$x: Int!", json!(null)),
        ("$x: String", json!(1)),
        ("$x: Boolean", json!("true")),
        ("$x: ID", json!(true)),
        ("$x: Role", json!("ADMIN")),
        ("$x: [Int!]", json!([1, null])),
        ("$x: UserLookup", json!({"id": "1", "username": "ann"})),
        ("$x: UserLookup", json!({"id": null})),
        ("$x: UserLookup", json!({"nick": "ann"})),
        ("$x: UserLookup", json!([])),
        ("$x: Profile", json!({"lookup": {"id": "1"}})),
        ("$x: Profile", json!({"name": "a", "level": null})),
        ("$x: Nothing", json!(1)),
        ("$x: User", json!({})),
        ("$x: [[Nothing!]]", json!(null)),
    ];
    for (declared, value) in wrong {
        let text = format!("query({declared}) {{ when(count: $x) }}");
        let error = admit_with(&text, &json!({"x": value})).unwrap_err();
        assert_eq!(error.code, Code::BadUserInput, "{declared} {value}");
        assert!(error.message.contains("$x"), "{}", error.message);
    }
    assert_eq!(
        admit("query($x: Int!) { when(count: $x) }")
            .unwrap_err()
            .code,
        Code::BadUserInput
    );
}

#[test]
fn valid_variables_are_coerced_to_their_types() {
    let cases = [
        ("$x: Int", json!(3.0), json!(3)),
        ("$x: Float", json!(3), json!(3)),
        ("$x: ID", json!(7), json!(7)),
        ("$x: [Int]", json!(7), json!([7])),
        ("$x: Role", json!("OWNER"), json!("OWNER")),
        ("$x: DateTime", json!({"any": [1]}), json!({"any": [1]})),
        ("$x: Profile", json!({"name": "a"}), json!({"name": "a"})),
        ("$x: Int = 4", json!(null), json!(null)),
    ];
    for (declared, value, arrives) in cases {
        let text = format!("query({declared}) {{ when(count: $x) }}");
        let admitted = admit_with(&text, &json!({"x": value})).unwrap();
        let arrived = admitted.variables.get("x").unwrap().clone();
        assert_eq!(arrived.into_json().unwrap(), arrives, "{declared}");
    }
    let defaulted = admit("query($x: Int = 4) { when(count: $x) }").unwrap();
    assert_eq!(
        defaulted.variables.get("x"),
        Some(&async_graphql::Value::from(4))
    );
}

#[test]
fn an_omitted_variable_is_omitted_for_the_executor() {
    let text = "query($x: String, $y: [String!]) {
        users(after: $x, tags: [$x]) { edges { node { id } } } when(role: {deep: $x, kept: 1}) @a(b: $y) }";
    let admitted = admit(text).unwrap();
    let left = printed(&admitted);
    assert!(!left.contains("Variable("), "{left}");
    assert!(
        !left.contains("after") && left.contains("tags") && left.contains("kept"),
        "{left}"
    );
    let given = admit_with(text, &json!({"x": null, "y": []})).unwrap();
    assert!(printed(&given).contains("after"));
}

#[test]
fn the_depth_of_variables_is_limited() {
    let mut value = json!(1);
    for _ in 0..33 {
        value = json!([value]);
    }
    let error = admit_with("{ viewer { id } }", &json!({"x": value})).unwrap_err();
    assert_eq!(error.exceeded.unwrap().limit, "variableDepth");
}

#[test]
fn no_error_quotes_the_document() {
    for text in [
        "{ viewer { se cret( } }",
        "query secret secret",
        "{ secret: }",
        "secret",
    ] {
        let error = admit(text).unwrap_err();
        assert!(!error.message.contains("cret"), "{}", error.message);
        assert!(error.message.lines().count() == 1, "{}", error.message);
        assert!(error.at.is_some());
    }
}

#[test]
fn a_document_is_parsed_once() {
    let guard = guard();
    let first = guard.read("{ viewer { id } }").unwrap();
    let second = guard.read("{ viewer { id } }").unwrap();
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn measuring_is_linear_in_the_text_and_not_in_its_expansion() {
    for levels in [8, 16, 24, 40] {
        let guard = guard();
        let text = doubling(levels);
        let document = guard.read(&text).unwrap();
        let selected = document.select(None).unwrap();
        let types = VariableTypes::read(SDL).unwrap();
        let measured = measure(&document, &selected, &Variables::default(), &types);
        assert!(measured.fields >= 1 << levels);
        assert!(
            measured.steps <= u64::try_from(text.len()).unwrap(),
            "{measured:?}"
        );
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "(", ")", "[", "]", "{ viewer { id } }", "...", "... on User", "...F", "@skip(if: true)",
            "query", "mutation", "subscription", "fragment F on Query", "fragment G on User", "$x", ":", "=", "!",
            "$x: [Int!]! = [1]", "first: 100", "\"", "\"\"\"", "\\\"\"\"", "\\", "#", "\n", "1e9", "-", "\u{feff}", "|", "&",
            "users(first: 50)", "a: b", "null", "true", "é", "\0", "{ a: [{ b: $x }] }",
        ])
        .prop_map(str::to_owned),
        1 => "[a-zA-Z_]{1,8}",
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_the_guard_panic_or_run_for_long(pieces in prop::collection::vec(piece(), 0..120)) {
        let text = pieces.join(" ");
        if let Ok(found) = lex(&text, &Limits::default()) {
            prop_assert!(found.steps <= u64::try_from(text.len()).unwrap());
            prop_assert!(found.nesting <= 32);
        }
        if let Err(error) = admit_with(&text, &json!({"x": [1, {"a": null}]})) {
            prop_assert!(error.message.len() <= 400);
        }
    }

    #[test]
    fn no_bracketed_document_makes_the_guard_panic(shape in prop::collection::vec(0_u8..6, 1..200)) {
        let mut text = String::from("query Q { viewer { id } ");
        let mut open = Vec::new();
        for step in shape {
            let (opening, closing) = [("a {", "}"), ("b(c: [", "]) { d }"), ("e(f: {g: ", "1}) { h }")][usize::from(step % 3)];
            if step < 4 {
                text += opening;
                open.push(closing);
            } else if let Some(closing) = open.pop() {
                text += closing;
            }
        }
        while let Some(closing) = open.pop() {
            text += closing;
        }
        text += " }";
        let _ = admit(&text);
    }
}
