//! How the fields of an operation are merged.

use async_graphql::Pos;
use serde_json::json;

use super::{
    super::Stage,
    support::{admit, admit_with, exceeds, is_invalid, merged, repeat},
};
use crate::error::Code;

#[test]
fn each_response_key_occurs_once() {
    let cases = [
        ("{ viewer { id } viewer { name id } }", "{viewer{id name}}"),
        (
            "{ viewer { id } ...A ... { viewer { name } } } fragment A on Query { viewer { friends { ...B } ...C } }
             fragment B on UserConnection { edges { node { id } } } fragment C on User { friends { edges { node { name } } } }",
            "{viewer{id friends{edges{node{id name}}} name}}",
        ),
        (
            "{ ...A ...A a: viewer { id } } fragment A on Query { viewer { id } viewer { id } }",
            "{viewer{id} a:viewer{id}}",
        ),
        ("mutation { signIn { id } signIn { name } }", ""),
        (
            "mutation { sendMessage { id } ... on Mutation { sendMessage { name } } }",
            "{sendMessage{id name}}",
        ),
        (
            "subscription { ...F ...F ... { events { name } } } fragment F on Subscription { events { id } }",
            "{events{id name}}",
        ),
    ];
    for (text, expected) in cases {
        if expected.is_empty() {
            is_invalid(text);
        } else {
            assert_eq!(merged(text, &json!({})), expected, "{text}");
        }
    }
}

#[test]
fn fields_of_interfaces_are_merged_for_each_type() {
    let cases = [
        // Fields without selections need no type of their own.
        (
            "id ... on User { id name } ... on Group { title id }",
            "id ...User{name} ...Group{title}",
        ),
        ("... on User { id } id", "...User{id} ...Group{id}"),
        ("... on Node { id ... on Node { id } }", "id"),
        (
            "self { id } ... on User { self { __typename } name } ... on Group { title }",
            "...Group{self{id}} ...User{self{id __typename} name} ...Group{title}",
        ),
        (
            "... on User { self { id } } ... on Node { self { __typename } }",
            "...User{self{id __typename}} ...Group{self{__typename}}",
        ),
    ];
    for (fields, expected) in cases {
        let text = format!("{{ node {{ {fields} }} }}");
        assert_eq!(
            merged(&text, &json!({})),
            format!("{{node{{{expected}}}}}"),
            "{fields}"
        );
    }
    // On an object, only the fields of its type remain.
    assert_eq!(
        merged(
            "{ viewer { ...N } } fragment N on Node { id ... on Group { title } ... on User { name } }",
            &json!({})
        ),
        "{viewer{id name}}"
    );
}

#[test]
fn conditions_are_resolved_before_fields_are_merged() {
    let text = "query($x: Boolean!, $y: Boolean = false) {
        viewer @skip(if: $x) { id }
        ... @include(if: $y) { viewer { name } }
        ...F @include(if: true) @skip(if: false)
        gone: viewer @include(if: false) { id }
    } fragment F on Query { when @include(if: $x) }";
    for (variables, expected) in [
        (json!({"x": false}), "{viewer{id}}"),
        (json!({"x": true}), "{when}"),
        (json!({"x": false, "y": true}), "{viewer{id name}}"),
        (json!({"x": true, "y": true}), "{viewer{name} when}"),
    ] {
        // The second time, it is from the cache.
        for _ in 0..2 {
            assert_eq!(merged(text, &variables), expected, "{variables}");
        }
    }
    let error = admit_with(text, &json!({"x": true, "y": null})).unwrap_err();
    assert_eq!(error.code, Code::BadUserInput);
}

#[test]
fn repeated_arguments_are_limited() {
    let document = |aliases: usize, argument: &str| {
        let fields = repeat(aliases, |n| format!("a{n}: viewer {{ ...F }} "));
        format!("{{ {fields} }} fragment F on User {{ notes(tags: {argument}) }}")
    };
    let list = |length: usize| format!("[{}]", "\"\" ".repeat(length));
    admit(&document(15, &list(200))).unwrap();
    exceeds("mergedSize", &document(15, &list(300)));
}

#[test]
fn what_the_library_overlooks_is_rejected() {
    is_invalid("{ nodes(ids: [1]) { id } nodes(ids: [1, 2]) { name } }");
    is_invalid(
        "query A { nodes(ids: []) { id } ...F } query B { viewer { id } ...F } fragment F on Query { nodes(ids: [1]) { id } }",
    );
    is_invalid("{ viewer { id } when(counts: [1]) ... @include(if: false) { when(counts: []) } }");
    admit("{ nodes(ids: [1, 2]) { id } nodes(ids: [1, 2]) { name } }").unwrap();
    admit("{ when(by: {id: 1}, counts: [1]) when(counts: [1] by: {id: 1}) }").unwrap();
    for text in [
        "{ user(by by: {id: 1}) { id } }",
        "{ user(by: {username id: 1}) { id } }",
        "query { viewer { id } when(text) }",
    ] {
        let error = admit(text).unwrap_err();
        assert_eq!(error.stage, Stage::Parsing, "{text}");
        assert!(error.at.is_some_and(|at| at.column > 5), "{error:?}");
    }
    for text in [
        "query { viewer { id } }",
        "query A { viewer { id } }",
        "fragment F on Query { viewer { id } } { ...F }",
        "fragment query on Query { viewer { id } } query { ...query }",
        "query($x: Int) { when(count: $x) }",
        "{ when(text: \"\"\" a \\\"\"\" , b\"\"\", ratio: -1.50e3) a , : viewer { id } }",
    ] {
        admit(text).unwrap();
    }
}

#[test]
fn fields_keep_their_positions() {
    let admitted = admit("{\n  ...F\n}\nfragment F on Query {\n  a: viewer { id }\n}").unwrap();
    let (_, operation) = admitted.document.operations.iter().next().unwrap();
    let [field] = operation.node.selection_set.node.items.as_slice() else {
        panic!("one field");
    };
    assert_eq!(field.pos, Pos::from((5, 3)));
}
