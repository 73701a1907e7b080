//! Whether two fields have equal arguments, in any order. The library takes a list for equal to a longer one that begins
//! with it.

use apollo_compiler::{Name, ast::Value, executable::Field};

/// Whether the fields may be merged under one response key.
pub(super) fn same_arguments(one: &Field, other: &Field) -> bool {
    let same = |(name, value): (&Name, &Value)| {
        let other = other.specified_argument_by_name(name);
        other.is_some_and(|other| same_value(value, other))
    };
    let mut arguments = one.arguments.iter();
    one.arguments.len() == other.arguments.len()
        && arguments.all(|argument| same((&argument.name, &argument.value)))
}

fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(ones), Value::List(others)) => {
            let mut pairs = ones.iter().zip(others);
            ones.len() == others.len() && pairs.all(|(one, other)| same_value(one, other))
        }
        (Value::Object(ones), Value::Object(others)) => {
            ones.len() == others.len()
                && ones.iter().all(|(name, one)| {
                    let mut others = others.iter();
                    let other = others.find(|(other, _)| other == name);
                    other.is_some_and(|(_, other)| same_value(one, other))
                })
        }
        _ => one == other,
    }
}
