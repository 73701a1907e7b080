//! The coercion of variables to the types that the operation declares. The executor would report an invalid variable
//! only when a resolver uses it, and would read an omitted nullable variable as null. The guard handles both before
//! execution. <https://spec.graphql.org/September2025/#sec-Coercing-Variable-Values>

use std::collections::HashSet;

use apollo_compiler::{
    Node,
    ast::{self, Type, VariableDefinition},
    schema::{ExtendedType, InputObjectType},
};
use async_graphql::{Name, Value, Variables, indexmap::IndexMap};
use serde_json::{Map, Value as Json};

use super::convert;
use super::error::{GuardError, MAX_ERRORS};
use super::position::Lines;
use super::schema::{CompiledSchema, is_one_of};

/// The variables of a request, for the executor.
#[derive(Debug, Default)]
pub(super) struct Coerced {
    /// The variables with a value or a default.
    pub values: Variables,
    /// The variables with neither. An argument or field that uses one of them counts as omitted too.
    pub omitted: HashSet<Name>,
}

/// Converts JSON values to the declared types. Returns all errors, up to [`MAX_ERRORS`].
pub(super) fn coerce(
    schema: &CompiledSchema,
    lines: &Lines,
    declared: &[Node<VariableDefinition>],
    provided: &Map<String, Json>,
) -> Result<Coerced, Vec<GuardError>> {
    let mut coerced = Coerced::default();
    let mut errors = Vec::new();
    for definition in declared {
        let (name, ty) = (Name::new(&definition.name), &definition.ty);
        let result = match (provided.get(name.as_str()), &definition.default_value) {
            (Some(value), _) => json(schema, ty, value).map_err(InvalidValue::into_message),
            (None, Some(default)) => Ok(literal(schema, ty, default)),
            (None, None) if ty.is_non_null() => Err(format!("A value of type {ty} is required.")),
            (None, None) => {
                coerced.omitted.insert(name);
                continue;
            }
        };
        match result {
            Ok(value) => {
                coerced.values.insert(name, value);
            }
            Err(reason) => {
                let at = definition.location();
                let at = at.map(|location| lines.position(location.offset()));
                errors.push(GuardError::invalid(
                    format!("Variable `${name}`: {reason}"),
                    at,
                ));
                if errors.len() >= MAX_ERRORS {
                    break;
                }
            }
        }
    }
    if errors.is_empty() {
        Ok(coerced)
    } else {
        Err(errors)
    }
}

/// Coerces a value of the request. Recurses on it; the guard has checked its depth.
fn json(schema: &CompiledSchema, ty: &Type, value: &Json) -> Result<Value, InvalidValue> {
    if value.is_null() {
        return if ty.is_non_null() {
            Err(InvalidValue::new(format!("expected {ty}, found null")))
        } else {
            Ok(Value::Null)
        };
    }
    let name = match (ty, value) {
        (Type::List(inner) | Type::NonNullList(inner), Json::Array(items)) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                json(schema, inner, item).map_err(|error| error.at(&index.to_string()))
            });
            return items.collect::<Result<_, _>>().map(Value::List);
        }
        (Type::List(inner) | Type::NonNullList(inner), single) => {
            return json(schema, inner, single).map(|value| Value::List(vec![value]));
        }
        (Type::Named(name) | Type::NonNullNamed(name), _) => name,
    };
    match schema.schema.types.get(name) {
        Some(ExtendedType::InputObject(definition)) => {
            let Json::Object(fields) = value else {
                return Err(InvalidValue::new(format!(
                    "expected an object of type {name}"
                )));
            };
            object(schema, definition, fields)
        }
        Some(definition) => leaf(definition, value),
        None => Err(InvalidValue::new(format!("{name} is not an input type"))),
    }
}

fn object(
    schema: &CompiledSchema,
    definition: &InputObjectType,
    provided: &Map<String, Json>,
) -> Result<Value, InvalidValue> {
    let (name, fields) = (&definition.name, &definition.fields);
    let mut keys = provided.keys();
    if let Some(unknown) = keys.find(|key| !fields.contains_key(key.as_str())) {
        return Err(InvalidValue::new(format!("{name} has no such field")).at(unknown));
    }
    if is_one_of(definition) && (provided.len() != 1 || provided.values().any(Json::is_null)) {
        return Err(InvalidValue::new(format!(
            "{name} requires exactly one of its fields, and not null"
        )));
    }
    let mut object = IndexMap::new();
    for (field, definition) in fields {
        let ty = &definition.ty;
        let value = match (provided.get(field.as_str()), &definition.default_value) {
            (Some(value), _) => json(schema, ty, value),
            (None, Some(default)) => Ok(literal(schema, ty, default)),
            (None, None) if ty.is_non_null() => {
                Err(InvalidValue::new(format!("expected {ty}, found no value")))
            }
            (None, None) => continue,
        };
        object.insert(Name::new(field), value.map_err(|error| error.at(field))?);
    }
    Ok(Value::Object(object))
}

/// Coerces a default value, which is valid.
fn literal(schema: &CompiledSchema, ty: &Type, value: &ast::Value) -> Value {
    match (ty, value) {
        (_, ast::Value::Null) => Value::Null,
        (Type::List(inner) | Type::NonNullList(inner), ast::Value::List(items)) => {
            let items = items.iter().map(|item| literal(schema, inner, item));
            Value::List(items.collect())
        }
        (Type::List(inner) | Type::NonNullList(inner), single) => {
            Value::List(vec![literal(schema, inner, single)])
        }
        (_, ast::Value::Object(provided)) => match schema.input_object(ty) {
            Some(definition) => {
                let fields = definition.fields.iter().filter_map(|(name, field)| {
                    let mut provided = provided.iter();
                    let provided = provided.find(|(key, _)| key == name);
                    let value = provided.map(|(_, value)| value);
                    let value = value.or(field.default_value.as_ref())?;
                    Some((Name::new(name), literal(schema, &field.ty, value)))
                });
                Value::Object(fields.collect())
            }
            // A custom scalar.
            None => convert::literal(value),
        },
        _ => convert::literal(value),
    }
}

/// The reason why a value is invalid, and its path inside the variable.
struct InvalidValue {
    reason: String,
    path: String,
}

impl InvalidValue {
    fn new(reason: String) -> Self {
        Self {
            reason,
            path: String::new(),
        }
    }

    fn at(mut self, key: &str) -> Self {
        self.path = if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{key}.{}", self.path)
        };
        self
    }

    fn into_message(self) -> String {
        if self.path.is_empty() {
            format!("{}.", self.reason)
        } else {
            format!("{} at `{}`.", self.reason, self.path)
        }
    }
}

fn leaf(definition: &ExtendedType, value: &Json) -> Result<Value, InvalidValue> {
    let name = definition.name();
    let is_valid = match definition {
        ExtendedType::Scalar(_) => match name.as_str() {
            "Int" => integer(value).is_some_and(|number| i32::try_from(number).is_ok()),
            "Float" => value.is_number(),
            "String" => value.is_string(),
            "Boolean" => value.is_boolean(),
            "ID" => value.is_string() || value.is_u64() || integer(value).is_some(),
            // The parser of a custom scalar validates its values.
            _ => true,
        },
        ExtendedType::Enum(definition) => value
            .as_str()
            .is_some_and(|value| definition.values.contains_key(value)),
        _ => false,
    };
    if !is_valid {
        return Err(InvalidValue::new(format!("expected {name}")));
    }
    if ["Int", "ID"].contains(&name.as_str())
        && let Some(number) = integer(value)
    {
        return Ok(Value::from(number));
    }
    Value::from_json(value.clone()).map_err(|_error| InvalidValue::new(format!("expected {name}")))
}

/// Returns the integer that a JSON number represents; `3.0` is an integer.
fn integer(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        let text = format!("{number:.0}");
        (number.fract() == 0.0).then(|| text.parse().ok()).flatten()
    })
}
