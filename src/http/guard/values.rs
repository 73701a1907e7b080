//! The rules for values that the library lacks: an input object names each field once, a oneOf input object has exactly
//! one, and a variable inside a list or an input object must fit there.
//! <https://spec.graphql.org/September2025/#sec-Values>

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    ast::{Argument, InputValueDefinition, Type, Value, VariableDefinition},
    executable::{DirectiveList, Selection},
};

use super::error::{GuardError, MAX_ERRORS};
use super::position::Lines;
use super::schema::{CompiledSchema, is_one_of};
use super::selections::each_selection;

/// Checks the values of all operations. Returns at most [`MAX_ERRORS`] errors, each once.
pub(super) fn check(
    document: &ExecutableDocument,
    schema: &CompiledSchema,
    lines: &Lines,
) -> Vec<GuardError> {
    let mut errors: Vec<GuardError> = vec![];
    for operation in document.operations.iter() {
        let mut rules = ValueRules {
            schema,
            lines,
            variables: &operation.variables,
            errors: &mut errors,
        };
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                rules.value(default, Some(Position::inside(&variable.ty)));
            }
        }
        rules.directives(&operation.directives);
        each_selection(document, operation, |selection| {
            rules.directives(selection.directives());
            if let Selection::Field(field) = selection {
                rules.arguments(&field.arguments, &field.definition.arguments);
            }
        });
    }
    errors
}

/// The place of a value.
#[derive(Clone, Copy)]
struct Position<'a> {
    ty: &'a Type,
    has_default: bool,
    /// Whether it is the field of a oneOf input object, which is nullable but cannot be null.
    in_one_of: bool,
}

impl<'a> Position<'a> {
    fn inside(ty: &'a Type) -> Self {
        Self {
            ty,
            has_default: false,
            in_one_of: false,
        }
    }

    fn of(definition: &'a InputValueDefinition) -> Self {
        Self {
            has_default: definition.default_value.is_some(),
            ..Self::inside(&definition.ty)
        }
    }

    /// Whether the variable may be used here (`IsVariableUsageAllowed` of the specification).
    fn allows(self, variable: &VariableDefinition) -> bool {
        if self.in_one_of && !variable.ty.is_non_null() {
            return false;
        }
        if !self.ty.is_non_null() || variable.ty.is_non_null() {
            return variable.ty.is_assignable_to(self.ty);
        }
        let default = variable.default_value.as_ref();
        let is_set = self.has_default || default.is_some_and(|value| !value.is_null());
        is_set && variable.ty.is_assignable_to(&self.ty.clone().nullable())
    }
}

struct ValueRules<'a> {
    schema: &'a CompiledSchema,
    lines: &'a Lines,
    variables: &'a [Node<VariableDefinition>],
    errors: &'a mut Vec<GuardError>,
}

impl ValueRules<'_> {
    fn directives(&mut self, directives: &DirectiveList) {
        for directive in directives {
            let definitions = &self.schema.schema.directive_definitions;
            if let Some(definition) = definitions.get(&directive.name) {
                self.arguments(&directive.arguments, &definition.arguments);
            }
        }
    }

    fn arguments(
        &mut self,
        arguments: &[Node<Argument>],
        definitions: &[Node<InputValueDefinition>],
    ) {
        for argument in arguments {
            let definition = definitions.iter().find(|one| one.name == argument.name);
            self.value(
                &argument.value,
                definition.map(|definition| Position::of(definition)),
            );
        }
    }

    /// Checks a value at this position; none inside a custom scalar. Recurses on brackets, whose depth the lexer limits.
    fn value(&mut self, value: &Node<Value>, position: Option<Position<'_>>) {
        match &**value {
            Value::Variable(name) => self.variable(value, name, position),
            Value::List(items) => {
                let inner = position
                    .map(|position| position.ty)
                    .filter(|ty| ty.is_list());
                let inner = inner.map(|ty| Position::inside(ty.item_type()));
                for item in items {
                    self.value(item, inner);
                }
            }
            Value::Object(fields) => self.object(value, fields, position),
            _ => {}
        }
    }

    fn object(
        &mut self,
        value: &Node<Value>,
        fields: &[(Name, Node<Value>)],
        position: Option<Position<'_>>,
    ) {
        let definition = position.and_then(|position| self.schema.input_object(position.ty));
        let in_one_of = definition.is_some_and(is_one_of);
        if let Some(object) = definition
            && in_one_of
            && (fields.len() != 1 || fields.iter().any(|(_, value)| value.is_null()))
        {
            let name = &object.name;
            let message = format!("`{name}` requires exactly one of its fields, and not null.");
            self.error(value, message);
        }
        for (index, (name, value)) in fields.iter().enumerate() {
            let earlier = fields.iter().take(index);
            if earlier.map(|(name, _)| name).any(|other| other == name) {
                self.error(value, format!("The field `{name}` is given twice."));
            }
            let field = definition.and_then(|object| object.fields.get(name));
            let position = field.map(|field| Position {
                in_one_of,
                ..Position::of(field)
            });
            self.value(value, position);
        }
    }

    fn variable(&mut self, value: &Node<Value>, name: &Name, position: Option<Position<'_>>) {
        let Some(variable) = self.variables.iter().find(|one| one.name == *name) else {
            return self.error(value, format!("The variable `${name}` is not defined."));
        };
        if let Some(position) = position
            && !position.allows(variable)
        {
            let (found, expected) = (&variable.ty, position.ty);
            let message = if position.in_one_of {
                format!("The variable `${name}` must have the type `{expected}!` here.")
            } else {
                format!("The variable `${name}` has the type `{found}`, not `{expected}`.")
            };
            self.error(value, message);
        }
    }

    fn error(&mut self, value: &Node<Value>, message: String) {
        let at = value.location();
        let at = at.map(|location| self.lines.position(location.offset()));
        let error = GuardError::invalid(message, at);
        if self.errors.len() < MAX_ERRORS && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}
