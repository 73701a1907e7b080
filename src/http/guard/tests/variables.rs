//! How variables are coerced.

use serde_json::json;

use super::support::{admit, admit_with, is_invalid, merged};
use crate::error::Code;

/// A query that uses `$x` of this type where it fits.
fn using(declared: &str) -> String {
    let ty = declared
        .trim_start_matches("$x: ")
        .split(" =")
        .next()
        .unwrap();
    let argument = match ty.trim_end_matches('!') {
        "Float" => "ratio",
        "String" => "text",
        "Boolean" => "on",
        "ID" => "id",
        "Role" => "role",
        "DateTime" => "at",
        "UserLookup" => "by",
        "Profile" => "profile",
        "[Int]" => "counts",
        "[Int!]" => "certain",
        "[[[Int]]]" => "deep",
        _ => "count",
    };
    format!("query({declared}) {{ when({argument}: $x) }}")
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
        ("$x: ID", json!(1.5)),
        ("$x: Role", json!("ADMIN")),
        ("$x: [Int!]", json!([1, null])),
        ("$x: [[[Int]]]", json!([[["1"]]])),
        ("$x: UserLookup", json!({"id": "1", "username": "ann"})),
        ("$x: UserLookup", json!({"id": null})),
        ("$x: UserLookup", json!({"nick": "ann"})),
        ("$x: UserLookup", json!({})),
        ("$x: UserLookup", json!([])),
        ("$x: Profile", json!({"lookup": {"id": "1"}})),
        ("$x: Profile", json!({"name": "a", "level": null})),
    ];
    for (declared, value) in wrong {
        let error = admit_with(&using(declared), &json!({"x": value})).unwrap_err();
        assert_eq!(error.code, Code::BadUserInput, "{declared} {value}");
        assert!(error.message.contains("$x"), "{}", error.message);
        assert!(error.message.starts_with("Variable"), "{}", error.message);
        assert!(error.at.is_some());
    }
    for declared in ["$x: Nothing", "$x: User", "$x: [[Nothing!]]"] {
        is_invalid(&using(declared));
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
    let profile = json!({"name": "a", "level": 3});
    let cases = [
        ("$x: Int", json!(3.0), json!(3)),
        ("$x: Float", json!(3), json!(3)),
        ("$x: ID", json!(7), json!(7)),
        ("$x: [Int]", json!(7), json!([7])),
        ("$x: [[[Int]]]", json!(7), json!([[[7]]])),
        ("$x: Role", json!("OWNER"), json!("OWNER")),
        ("$x: DateTime", json!({"any": [1]}), json!({"any": [1]})),
        ("$x: Profile", json!({"name": "a"}), profile),
        ("$x: Int = 4", json!(null), json!(null)),
    ];
    for (declared, value, arrives) in cases {
        let admitted = admit_with(&using(declared), &json!({"x": value})).unwrap();
        let arrived = admitted.variables.get("x").unwrap().clone();
        assert_eq!(arrived.into_json().unwrap(), arrives, "{declared}");
    }
    let defaults = [
        ("$x: Int = 4", json!(4)),
        ("$x: [Int] = 4", json!([4])),
        ("$x: Role = OWNER", json!("OWNER")),
        (
            "$x: Profile = {name: \"a\", nested: {name: \"b\"}}",
            json!({"name": "a", "nested": {"name": "b", "level": 3}, "level": 3}),
        ),
    ];
    for (declared, arrives) in defaults {
        let admitted = admit(&using(declared)).unwrap();
        let arrived = admitted.variables.get("x").unwrap().clone();
        assert_eq!(arrived.into_json().unwrap(), arrives, "{declared}");
    }
}

#[test]
fn an_omitted_variable_is_omitted_for_the_executor() {
    let text = "query($x: String, $y: [String], $l: Int) {
        users(after: $x, tags: [$x]) { edges { node { id } } }
        when(text: \"a\", sure: 2, profile: {name: \"b\", lookup: {id: \"c\"}, note: $x, level: 4}, counts: [$l])
        more: users(tags: $y) { edges { node { id } } } }";
    assert_eq!(
        merged(text, &json!({})),
        "{users(tags:[null]){edges{node{id}}} when(text:\"a\")(sure:2)\
         (profile:{name: \"b\", lookup: {id: \"c\"}, level: 4})(counts:[null]) \
         more:users{edges{node{id}}}}"
    );
    let given = merged(text, &json!({"x": null, "y": [], "l": 1}));
    assert!(
        given.contains("(after:$x)(tags:[$x])") && given.contains("note: $x"),
        "{given}"
    );
    assert!(
        given.contains("(tags:$y)") && given.contains("(counts:[$l])"),
        "{given}"
    );
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
