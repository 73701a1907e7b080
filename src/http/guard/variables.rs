//! The input types of the schema, and the coercion of variables to them. The executor would report an invalid variable
//! only when a resolver uses it, and would read an omitted nullable variable as null. The guard handles both before
//! execution.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
    VariableDefinition,
};
use async_graphql::{Name, Positioned, Value, Variables, parser};
use serde_json::{Map, Value as Json};

use super::error::{GuardError, MAX_ERRORS};

/// The input types and the default page sizes of a schema.
#[derive(Debug)]
pub struct VariableTypes {
    types: HashMap<String, InputShape>,
    /// The number of items that a field returns by default, by the field's name.
    page_sizes: HashMap<String, u64>,
}

#[derive(Debug)]
enum InputShape {
    Int,
    Float,
    String,
    Boolean,
    Id,
    /// A custom scalar. Its own parser validates it.
    Custom,
    Enum(HashSet<String>),
    Object {
        fields: Vec<InputField>,
        one_of: bool,
    },
}

#[derive(Debug)]
struct InputField {
    name: String,
    ty: Type,
    has_default: bool,
}

/// The variables of a request, for the executor.
#[derive(Debug, Default)]
pub struct Coerced {
    /// The variables with a value or a default.
    pub values: Variables,
    /// The variables with neither. An argument or field that uses one of them counts as omitted too.
    pub omitted: HashSet<Name>,
}

impl VariableTypes {
    /// Parses the SDL of a schema.
    pub fn read(sdl: &str) -> Result<Self, parser::Error> {
        let mut types = Self {
            types: [
                ("Int", InputShape::Int),
                ("Float", InputShape::Float),
                ("String", InputShape::String),
                ("Boolean", InputShape::Boolean),
                ("ID", InputShape::Id),
            ]
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), shape))
            .collect(),
            page_sizes: HashMap::new(),
        };
        for definition in parse_schema(sdl)?.definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                let one_of = definition
                    .node
                    .directives
                    .iter()
                    .any(|directive| directive.node.name.node == "oneOf");
                types.add_type(
                    definition.node.name.node.as_str(),
                    definition.node.kind,
                    one_of,
                );
            }
        }
        Ok(types)
    }

    fn add_type(&mut self, name: &str, kind: TypeKind, one_of: bool) {
        let shape = match kind {
            TypeKind::Scalar => InputShape::Custom,
            TypeKind::Enum(values) => InputShape::Enum(
                values
                    .values
                    .into_iter()
                    .map(|value| value.node.value.node.to_string())
                    .collect(),
            ),
            TypeKind::InputObject(object) => InputShape::Object {
                fields: object.fields.into_iter().map(input_field).collect(),
                one_of,
            },
            TypeKind::Object(object) => return self.add_page_sizes(&object.fields),
            TypeKind::Interface(interface) => return self.add_page_sizes(&interface.fields),
            TypeKind::Union(_) => return,
        };
        self.types.insert(name.to_owned(), shape);
    }

    fn add_page_sizes(&mut self, fields: &[Positioned<FieldDefinition>]) {
        for field in fields {
            for argument in &field.node.arguments {
                let is_page_size = ["first", "last"].contains(&argument.node.name.node.as_str());
                if let Some(Value::Number(size)) = argument
                    .node
                    .default_value
                    .as_ref()
                    .map(|value| &value.node)
                    && is_page_size
                    && let Some(size) = size.as_u64()
                {
                    let largest = self
                        .page_sizes
                        .entry(field.node.name.node.to_string())
                        .or_default();
                    *largest = size.max(*largest);
                }
            }
        }
    }

    /// Returns the default page size of the fields with this name, if the schema declares one.
    #[must_use]
    pub fn page_size(&self, field: &str) -> Option<u64> {
        self.page_sizes.get(field).copied()
    }

    /// Converts JSON values to the declared types. Returns all errors, up to [`MAX_ERRORS`].
    pub fn coerce(
        &self,
        declared: &[Positioned<VariableDefinition>],
        provided: &Map<String, Json>,
    ) -> Result<Coerced, Vec<GuardError>> {
        let mut coerced = Coerced::default();
        let mut errors = Vec::new();
        for definition in declared {
            if errors.len() >= MAX_ERRORS {
                break;
            }
            let name = &definition.node.name.node;
            let ty = &definition.node.var_type.node;
            let default = definition.node.default_value.as_ref();
            let result = match provided.get(name.as_str()) {
                _ if !self.types.contains_key(named_type(ty)) => {
                    Err("Its type is not an input type of this schema.".to_owned())
                }
                None if default.is_some() || ty.nullable => {
                    match default {
                        Some(value) => {
                            coerced.values.insert(name.clone(), value.node.clone());
                        }
                        None => {
                            coerced.omitted.insert(name.clone());
                        }
                    }
                    continue;
                }
                None => Err(format!("A value of type {ty} is required.")),
                Some(value) => self.value(ty, value).map_err(InvalidValue::into_message),
            };
            match result {
                Ok(value) => {
                    coerced.values.insert(name.clone(), value);
                }
                Err(reason) => errors.push(GuardError::invalid(
                    format!("Variable `${name}`: {reason}"),
                    Some(definition.pos),
                )),
            }
        }
        if errors.is_empty() {
            Ok(coerced)
        } else {
            Err(errors)
        }
    }

    /// Recurses on the value, whose depth the guard has checked.
    fn value(&self, ty: &Type, value: &Json) -> Result<Value, InvalidValue> {
        if value.is_null() {
            return if ty.nullable {
                Ok(Value::Null)
            } else {
                Err(InvalidValue::new(format!("expected {ty}, found null")))
            };
        }
        match (&ty.base, value) {
            (BaseType::List(inner), Json::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    self.value(inner, item)
                        .map_err(|error| error.at(&index.to_string()))
                })
                .collect::<Result<_, _>>()
                .map(Value::List),
            (BaseType::List(inner), single) => self
                .value(inner, single)
                .map(|value| Value::List(vec![value])),
            (BaseType::Named(name), value) => match self.types.get(name.as_str()) {
                Some(InputShape::Object { fields, one_of }) => {
                    self.object(name, fields, *one_of, value)
                }
                Some(shape) => coerce_leaf(name, shape, value),
                None => Err(InvalidValue::new(format!("{name} is not an input type"))),
            },
        }
    }

    fn object(
        &self,
        name: &Name,
        fields: &[InputField],
        one_of: bool,
        value: &Json,
    ) -> Result<Value, InvalidValue> {
        let Json::Object(provided) = value else {
            return Err(InvalidValue::new(format!(
                "expected an object of type {name}"
            )));
        };
        if let Some(unknown) = provided
            .keys()
            .find(|key| !fields.iter().any(|field| field.name == **key))
        {
            return Err(InvalidValue::new(format!("{name} has no such field")).at(unknown));
        }
        if one_of && (provided.len() != 1 || provided.values().any(Json::is_null)) {
            return Err(InvalidValue::new(format!(
                "{name} requires exactly one of its fields, and not null"
            )));
        }
        let mut object = async_graphql::indexmap::IndexMap::new();
        for field in fields {
            match provided.get(&field.name) {
                Some(value) => {
                    let value = self
                        .value(&field.ty, value)
                        .map_err(|error| error.at(&field.name))?;
                    object.insert(Name::new(&field.name), value);
                }
                None if field.ty.nullable || field.has_default => {}
                None => {
                    return Err(InvalidValue::new(format!(
                        "expected {}, found no value",
                        field.ty
                    ))
                    .at(&field.name));
                }
            }
        }
        Ok(Value::Object(object))
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

fn coerce_leaf(name: &Name, shape: &InputShape, value: &Json) -> Result<Value, InvalidValue> {
    let is_valid = match shape {
        InputShape::Int => integer(value).is_some_and(|number| i32::try_from(number).is_ok()),
        InputShape::Float => value.is_number(),
        InputShape::String => value.is_string(),
        InputShape::Boolean => value.is_boolean(),
        InputShape::Id => value.is_string() || value.is_i64() || value.is_u64(),
        InputShape::Enum(values) => value.as_str().is_some_and(|value| values.contains(value)),
        InputShape::Custom => true,
        InputShape::Object { .. } => false,
    };
    if !is_valid {
        return Err(InvalidValue::new(format!("expected {name}")));
    }
    if let (InputShape::Int, Some(number)) = (shape, integer(value)) {
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

fn named_type(mut ty: &Type) -> &str {
    loop {
        match &ty.base {
            BaseType::Named(name) => return name.as_str(),
            BaseType::List(inner) => ty = inner,
        }
    }
}

fn input_field(field: Positioned<InputValueDefinition>) -> InputField {
    InputField {
        name: field.node.name.node.to_string(),
        has_default: field.node.default_value.is_some(),
        ty: field.node.ty.node,
    }
}
