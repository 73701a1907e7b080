//! A small schema, and short ways to use its guard.

use std::sync::LazyLock;

use async_graphql::parser::types::{Selection, SelectionSet};
use serde_json::{Value as Json, json};

use super::super::{Admitted, Guard, GuardError, Limits, Stage};
use crate::error::Code;

const SDL: &str = r"
schema { query: Query mutation: Mutation subscription: Subscription }
directive @oneOf on INPUT_OBJECT
type Query {
  viewer: User
  node: Node
  user(by: UserLookup!): User
  users(first: Int = 20, after: String, tags: [String]): UserConnection
  nodes(ids: [ID!]!): [User]!
  when(
    at: DateTime, role: Role, count: Int, ratio: Float, on: Boolean = true, text: String, id: ID,
    sure: Int! = 1, counts: [Int], certain: [Int!], by: UserLookup, profile: Profile, deep: [[[Int]]]
  ): String
}
interface Node { id: ID! self: Node }
type User implements Node {
  id: ID! self: Node name: String friends(first: Int = 20, last: Int): UserConnection
  notes(tags: [String]): String
}
type Group implements Node { id: ID! self: Node title: String }
type UserConnection { edges: [UserEdge!]! }
type UserEdge { node: User! }
type Mutation { signIn(input: String): User sendMessage(input: String): User }
type Subscription { events(after: String): User other: User }
input UserLookup @oneOf { id: ID username: String }
input Profile { name: String! lookup: UserLookup nested: Profile note: String level: Int! = 3 }
enum Role { MEMBER OWNER }
scalar DateTime
";

pub(super) fn guard() -> Guard {
    Guard::new(SDL, Limits::default()).unwrap()
}

pub(super) fn admit(text: &str) -> Result<Admitted, GuardError> {
    admit_with(text, &json!({}))
}

pub(super) fn admit_with(text: &str, variables: &Json) -> Result<Admitted, GuardError> {
    static GUARD: LazyLock<Guard> = LazyLock::new(guard);
    let first = |mut errors: Vec<GuardError>| errors.remove(0);
    let document = GUARD.read(text).map_err(first)?;
    GUARD
        .admit(&document, None, variables.as_object().unwrap())
        .map_err(first)
}

#[track_caller]
pub(super) fn exceeds(limit: &str, text: &str) {
    let error = admit(text).unwrap_err();
    assert_eq!(error.code, Code::TooComplex, "{error:?}");
    assert_eq!(error.exceeded.unwrap().limit, limit, "{error:?}");
}

#[track_caller]
pub(super) fn is_invalid(text: &str) {
    let error = admit(text).unwrap_err();
    assert_eq!(error.code, Code::BadUserInput, "{error:?}");
    assert_eq!(error.stage, Stage::Validation, "{error:?}");
}

pub(super) fn printed(admitted: &Admitted) -> String {
    format!("{:?}", admitted.document)
}

/// The merged operation as text, without positions.
pub(super) fn merged(text: &str, variables: &Json) -> String {
    set_text_of(&admit_with(text, variables).unwrap())
}

pub(super) fn set_text_of(admitted: &Admitted) -> String {
    let (_, operation) = admitted.document.operations.iter().next().unwrap();
    assert!(admitted.document.fragments.is_empty());
    set_text(&operation.node.selection_set.node)
}

fn set_text(set: &SelectionSet) -> String {
    let items = set.items.iter().map(|item| match &item.node {
        Selection::Field(field) => {
            let field = &field.node;
            assert!(field.directives.is_empty());
            let alias = field.alias.as_ref().map(|alias| format!("{}:", alias.node));
            let arguments = field.arguments.iter();
            let arguments =
                arguments.map(|(name, value)| format!("({}:{})", name.node, value.node));
            let arguments: String = arguments.collect();
            let set = &field.selection_set.node;
            let set = if set.items.is_empty() {
                String::new()
            } else {
                set_text(set)
            };
            format!(
                "{}{}{arguments}{set}",
                alias.unwrap_or_default(),
                field.name.node
            )
        }
        Selection::InlineFragment(inline) => {
            let inline = &inline.node;
            let on = &inline.type_condition.as_ref().unwrap().node.on.node;
            format!("...{on}{}", set_text(&inline.selection_set.node))
        }
        Selection::FragmentSpread(_) => panic!("a spread remains"),
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(" "))
}

pub(super) fn repeat(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().concat()
}

/// Fragments that each spread the next one twice, `levels` of them.
pub(super) fn doubling(levels: usize) -> String {
    let chain = repeat(levels, |n| {
        format!("fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1)
    });
    format!("{{ ...F0 }} {chain} fragment F{levels} on Query {{ viewer {{ id }} }}")
}
