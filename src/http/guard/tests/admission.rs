//! Which documents are admitted.

use std::sync::Arc;

use async_graphql::Variables;
use serde_json::{Map, json};

use super::{
    super::measure,
    support::{
        admit, admit_with, doubling, exceeds, guard, is_invalid, printed, repeat, set_text_of,
    },
};
use crate::error::Code;

#[test]
fn the_standard_introspection_query_passes() {
    let admitted = admit(include_str!("../introspection.graphql")).unwrap();
    assert!(admitted.introspection.is_some());
    assert_eq!(admitted.name.as_deref(), Some("IntrospectionQuery"));
}

#[test]
fn an_exceeded_limit_is_named() {
    let aliases = repeat(16, |n| format!("a{n}: __typename "));
    exceeds("aliases", &format!("{{ {aliases} }}"));
    let deep = "friends { edges { node {".repeat(5);
    let deep = format!("viewer {{ {deep} id {} }}", "}".repeat(15));
    exceeds("depth", &format!("{{ {deep} }}"));
    let roots = "viewer { id } ".to_owned() + &repeat(15, |n| format!("a{n}: viewer {{ id }} "));
    exceeds("rootFields", &format!("{{ {roots} }}"));
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
fn an_object_costs_as_much_as_its_most_expensive_type() {
    let friends = |first| format!("friends(first: {first}) {{ edges {{ node {{ id }} }} }}");
    let cost = |text: &str| admit(text).unwrap().cost;
    let people = |first| cost(&format!("{{ viewer {{ {} }} }}", friends(first)));
    let node = |selections: &str| cost(&format!("{{ node {{ {selections} }} }}"));
    let on_user = |first| format!("... on User {{ {} }}", friends(first));
    assert_eq!(node(&on_user(5)), people(5));
    // Other types cost less, and are not added.
    assert_eq!(
        node(&format!("... on Group {{ title }} {}", on_user(5))),
        people(5)
    );
    // Two fragments on one type apply together, and what is selected of every type is added.
    let two = format!("{} ... on User {{ name notes }} id", on_user(5));
    assert_eq!(node(&two), people(5) + 3);
    let spread = format!(
        "{{ node {{ ...A ...B }} }} fragment A on User {{ {} }} fragment B on Group {{ title }}",
        friends(5)
    );
    assert_eq!(cost(&spread), people(5));
    // A fragment on the same type or an interface always applies.
    assert_eq!(
        cost("{ viewer { ... on User { name } ... on Node { id } id } }"),
        4
    );
}

#[test]
fn negative_and_huge_sizes_do_not_wrap() {
    admit("{ users(first: -1) { edges { node { id } } } }").unwrap();
    exceeds(
        "cost",
        "{ users(first: 2147483647) { edges { node { friends(first: 2147483647, last: 2147483647) {
            edges { node { friends(first: 2147483647, last: 2147483647) { edges { node { id } } } } } } } } } }",
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
    assert_eq!(set_text_of(&admitted), "{events{id}}");
    is_invalid("subscription { events { id } other { id } }");
    is_invalid("subscription { a: events { id } b: events { id } }");
    is_invalid("subscription { __typename }");
    is_invalid("subscription($x: Boolean!) { events @include(if: $x) { id } }");
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
        let measured = measure(&guard.schema, &document, &selected, &Variables::default());
        assert!(measured.fields >= 1 << levels);
        assert!(
            measured.steps <= u64::try_from(text.len()).unwrap(),
            "{measured:?}"
        );
    }
}
