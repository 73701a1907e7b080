//! Converts parts of a document to the executor's types.

use std::collections::HashSet;

use apollo_compiler::ast;
use async_graphql::{Name, Value as ConstValue, indexmap::IndexMap};
use async_graphql_value::{Number, Value};

/// Converts a value of an argument. `omitted` are the variables without a value: a field that is one of them is left
/// out, and an item of a list becomes null, as the specification requires. None if the value itself is one of them.
pub(super) fn argument(value: &ast::Value, omitted: &HashSet<Name>) -> Option<Value> {
    Some(match value {
        ast::Value::Variable(name) if omitted.contains(name.as_str()) => return None,
        ast::Value::Variable(name) => Value::Variable(Name::new(name)),
        ast::Value::List(items) => {
            let items = items.iter().map(|item| argument(item, omitted));
            Value::List(items.map(Option::unwrap_or_default).collect())
        }
        ast::Value::Object(fields) => {
            let fields = fields.iter().filter_map(|(name, value)| {
                let value = argument(value, omitted)?;
                Some((Name::new(name), value))
            });
            Value::Object(fields.collect())
        }
        other => literal(other).into_value(),
    })
}

/// Converts a value without variables.
pub(super) fn literal(value: &ast::Value) -> ConstValue {
    match value {
        ast::Value::Null | ast::Value::Variable(_) => ConstValue::Null,
        ast::Value::Enum(name) => ConstValue::Enum(Name::new(name)),
        ast::Value::String(text) => ConstValue::String(text.clone()),
        ast::Value::Boolean(value) => ConstValue::Boolean(*value),
        ast::Value::Int(number) => self::number(number.as_str()),
        ast::Value::Float(number) => self::number(number.as_str()),
        ast::Value::List(items) => {
            ConstValue::List(items.iter().map(|item| literal(item)).collect())
        }
        ast::Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (Name::new(name), literal(value)));
            ConstValue::Object(fields.collect::<IndexMap<_, _>>())
        }
    }
}

/// An integer that does not fit 64 bits becomes the nearest float, as in JSON.
fn number(text: &str) -> ConstValue {
    let integer = text.parse::<i64>().map(Number::from);
    let integer = integer.or_else(|_| text.parse::<u64>().map(Number::from));
    let float = || text.parse().ok().and_then(Number::from_f64);
    let number = integer.ok().or_else(float);
    number.map_or(ConstValue::Null, ConstValue::Number)
}
