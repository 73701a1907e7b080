//! Random documents over a schema. Most are valid; each choice is sometimes wrong, and some texts are damaged afterwards.

use std::fmt::Write;

use apollo_compiler::{
    Schema,
    ast::{InputValueDefinition, Type},
    schema::ExtendedType,
};
use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};

use super::{Sample, damage::damage};

/// The depth of nested selections.
const DEPTH: usize = 4;

/// Generates documents.
pub(super) struct Generator<'s> {
    pub(super) schema: &'s Schema,
    pub(super) rng: SmallRng,
    /// The variables of the document so far: name, type, and the type of the place where it is used.
    variables: Vec<(String, Type)>,
    /// The fragments of the document so far: their types and texts.
    fragments: Vec<(String, String)>,
}

impl<'s> Generator<'s> {
    pub(super) fn new(schema: &'s Schema, rng: SmallRng) -> Self {
        Self {
            schema,
            rng,
            variables: vec![],
            fragments: vec![],
        }
    }

    /// Returns the next request.
    pub(super) fn sample(&mut self) -> Sample {
        self.variables.clear();
        self.fragments.clear();
        let (kind, root) = *[
            ("query", "Query"),
            ("query", "Query"),
            ("query", "Query"),
            ("mutation", "Mutation"),
            ("subscription", "Subscription"),
        ]
        .choose(&mut self.rng)
        .unwrap();
        let body = if kind == "subscription" && !self.chance(10) {
            let field = self.field(root, DEPTH);
            format!(
                "{{ {field} {} }}",
                if self.chance(10) { &*field } else { "" }
            )
        } else {
            self.selections(root, DEPTH)
        };
        let is_named = self.chance(40);
        let name = if is_named { " Main" } else { "" };
        let head = if kind == "query" && !is_named && self.variables.is_empty() && self.chance(50) {
            String::new()
        } else {
            format!("{kind}{name}{}", self.declarations())
        };
        // A shorthand query cannot have a description.
        let describes = self.chance(if head.is_empty() { 1 } else { 5 });
        let head = if describes {
            format!("\"about\" {head}")
        } else {
            head
        };
        let directive = if self.chance(1) { "@unknown" } else { "" };
        let mut text = format!("{head} {directive} {body}");
        if is_named && self.chance(10) {
            text += " query Other { __typename }";
        }
        let mut fragments = String::new();
        for (index, (ty, body)) in self.fragments.iter().enumerate() {
            let _ = write!(fragments, " fragment F{index} on {ty} {body} ");
        }
        if self.chance(20) {
            text = format!("{fragments}{text}");
        } else {
            text += &fragments;
        }
        if self.chance(15) {
            text = damage(&mut self.rng, &text);
        }
        let operation = match self.rng.random_range(0..20) {
            0 => Some("Other".to_owned()),
            1..8 if is_named => Some("Main".to_owned()),
            _ if text.contains("query Other") => Some("Main".to_owned()),
            _ => None,
        };
        Sample {
            query: text,
            operation,
            variables: self.values(),
        }
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// A selection set of this type.
    fn selections(&mut self, ty: &str, depth: usize) -> String {
        let count = self.rng.random_range(1..=4);
        let mut items: Vec<String> = vec![];
        for _ in 0..count {
            let item = match self.rng.random_range(0..100) {
                0..8 => format!("__typename{}", self.condition()),
                8..18 if depth > 0 => self.inline_fragment(ty, depth - 1),
                18..30 if depth > 0 => self.spread(ty, depth - 1),
                30..38 if !items.is_empty() => items.choose(&mut self.rng).unwrap().clone(),
                _ => self.field(ty, depth),
            };
            items.push(item);
        }
        format!("{{ {} }}", items.join(" "))
    }

    fn field(&mut self, ty: &str, depth: usize) -> String {
        let fields: Vec<_> = match &self.schema.types[ty] {
            ExtendedType::Object(object) => object.fields.values().collect(),
            ExtendedType::Interface(interface) => interface.fields.values().collect(),
            _ => return "__typename".to_owned(),
        };
        if self.chance(1) {
            return "missing".to_owned();
        }
        if ty == "Query" && depth > 0 && self.chance(12) {
            return self.introspection(depth);
        }
        if ty == "__Type" && self.chance(10) {
            return "isOneOf".to_owned();
        }
        // The texts of built-in descriptions differ.
        let is_known = |name: &str| !ty.starts_with("__") || name != "description";
        // The first fields are the most frequent, so that keys meet.
        let last = if self.chance(40) { 4 } else { fields.len() };
        let fields = &fields[..last.min(fields.len())];
        let is_leaf = |ty: &Type| self.schema.types[ty.inner_named_type()].is_leaf();
        let fitting: Vec<_> = fields
            .iter()
            .filter(|field| is_known(&field.name) && (depth > 0 || is_leaf(&field.ty)))
            .collect();
        let Some(field) = fitting.choose(&mut self.rng) else {
            return "__typename".to_owned();
        };
        let alias = if self.chance(8) {
            format!("{}: ", ["a", "b", "id"].choose(&mut self.rng).unwrap())
        } else {
            String::new()
        };
        let arguments = self.arguments(&field.arguments);
        let condition = self.condition();
        let inner = field.ty.inner_named_type();
        let set = if is_leaf(&field.ty) == self.chance(1) {
            self.selections(inner, depth.saturating_sub(1))
        } else {
            String::new()
        };
        format!("{alias}{}{arguments}{condition} {set}", field.name)
    }

    fn introspection(&mut self, depth: usize) -> String {
        let set = |generator: &mut Self, ty| generator.selections(ty, depth + 1);
        if self.chance(30) {
            return format!("__schema {}", set(self, "__Schema"));
        }
        let names = [
            "User",
            "Node",
            "Query",
            "UserLookup",
            "EventCategory",
            "Missing",
            "DateTime",
        ];
        let name = if self.chance(30) {
            self.variable(&Type::Named(apollo_compiler::name!("String")).non_null())
        } else {
            format!("\"{}\"", names.choose(&mut self.rng).unwrap())
        };
        format!("__type(name: {name}) {}", set(self, "__Type"))
    }

    fn inline_fragment(&mut self, ty: &str, depth: usize) -> String {
        let condition = self.condition();
        if self.chance(30) {
            return format!("...{condition} {}", self.selections(ty, depth));
        }
        let on = self.related_type(ty);
        format!("... on {on}{condition} {}", self.selections(&on, depth))
    }

    fn spread(&mut self, ty: &str, depth: usize) -> String {
        let condition = self.condition();
        if self.fragments.len() < 4 && self.chance(50) {
            let on = self.related_type(ty);
            let index = self.fragments.len();
            self.fragments.push((on.clone(), String::new()));
            let body = self.selections(&on, depth);
            self.fragments[index].1 = body;
            return format!("...F{index}{condition}");
        }
        let fitting: Vec<_> = (0..self.fragments.len())
            .filter(|&index| self.fragments[index].0 == ty && !self.fragments[index].1.is_empty())
            .collect();
        match fitting.choose(&mut self.rng) {
            Some(index) => format!("...F{index}{condition}"),
            None if self.chance(2) => format!("...F{condition}"),
            None => self.field(ty, depth),
        }
    }

    /// A type that a fragment within this type can have, and sometimes any other.
    fn related_type(&mut self, ty: &str) -> String {
        let related: Vec<_> = self
            .schema
            .types
            .keys()
            .filter(|name| {
                name.as_str() == ty
                    || self.schema.is_subtype(ty, name)
                    || self.schema.is_subtype(name, ty)
            })
            .map(ToString::to_string)
            .collect();
        if self.chance(2) {
            let any: Vec<_> = self.schema.types.iter().collect();
            let (name, definition) = any.choose(&mut self.rng).unwrap();
            if definition.is_object() || definition.is_interface() {
                return name.to_string();
            }
        }
        related.choose(&mut self.rng).unwrap().clone()
    }

    fn condition(&mut self) -> String {
        if !self.chance(5) {
            return String::new();
        }
        let name = ["skip", "include"].choose(&mut self.rng).unwrap();
        let value = if self.chance(60) {
            self.variable(&Type::Named(apollo_compiler::name!("Boolean")).non_null())
        } else {
            (*["true", "false"].choose(&mut self.rng).unwrap()).to_owned()
        };
        match self.rng.random_range(0..40) {
            0 => format!(" @{name}"),
            1 => format!(" @{name}(if: {value}) @{name}(if: {value})"),
            _ => format!(" @{name}(if: {value})"),
        }
    }

    fn arguments(&mut self, definitions: &[apollo_compiler::Node<InputValueDefinition>]) -> String {
        let mut given = vec![];
        for definition in definitions {
            let percent = if definition.is_required() { 98 } else { 20 };
            if self.chance(percent) {
                given.push(format!(
                    "{}: {}",
                    definition.name,
                    self.literal(&definition.ty, 3)
                ));
            }
        }
        if self.chance(1) {
            given.push("missing: 1".to_owned());
        }
        if self.chance(1)
            && let Some(twice) = given.first().cloned()
        {
            given.push(twice);
        }
        if given.is_empty() {
            String::new()
        } else {
            format!("({})", given.join(" "))
        }
    }

    /// A variable for a place of this type: an earlier one of the type, or a new one.
    pub(super) fn variable(&mut self, ty: &Type) -> String {
        let known: Vec<_> = self
            .variables
            .iter()
            .filter(|(_, known)| known == ty)
            .map(|(name, _)| name.clone())
            .collect();
        if self.chance(40)
            && let Some(name) = known.choose(&mut self.rng)
        {
            return format!("${name}");
        }
        let name = format!("v{}", self.variables.len());
        self.variables.push((name.clone(), ty.clone()));
        format!("${name}")
    }

    /// The declarations of the variables, whose types are sometimes wider, narrower or wrong.
    fn declarations(&mut self) -> String {
        if self.chance(2) {
            self.variable(&Type::Named(apollo_compiler::name!("Int")));
        }
        let mut declared = vec![];
        for (name, ty) in self.variables.clone() {
            let ty = match self.rng.random_range(0..40) {
                0 => continue,
                1..4 => ty.nullable(),
                4..8 => ty.non_null(),
                8 => ty.list(),
                9 => Type::Named(apollo_compiler::name!("String")),
                10 if self.chance(20) => Type::Named(apollo_compiler::name!("User")),
                11 if self.chance(20) => Type::Named(apollo_compiler::name!("Missing")),
                _ => ty,
            };
            let is_input = self
                .schema
                .types
                .get(ty.inner_named_type())
                .is_some_and(ExtendedType::is_input_type);
            let default = if is_input && self.chance(20) {
                let kept = std::mem::take(&mut self.variables);
                let literal = self.literal(&ty, 2);
                // A default contains no variables.
                let default = (self.variables.is_empty() || self.chance(3)).then_some(literal);
                self.variables = kept;
                default
                    .map(|default| format!(" = {default}"))
                    .unwrap_or_default()
            } else {
                String::new()
            };
            let spaced = if self.chance(20) {
                ty.to_string()
                    .replace('!', " !")
                    .replace('[', "[ ")
                    .replace(']', " ]")
            } else {
                ty.to_string()
            };
            let description = if self.chance(3) {
                "\"\"\"its\nvalue\"\"\" "
            } else {
                ""
            };
            declared.push(format!("{description}${name}: {spaced}{default}"));
        }
        if declared.is_empty() {
            String::new()
        } else {
            format!("({})", declared.join(" "))
        }
    }

    /// The values that the request sends.
    fn values(&mut self) -> Map<String, Value> {
        let mut values = Map::new();
        for (name, ty) in self.variables.clone() {
            if self.chance(if ty.is_non_null() { 95 } else { 70 }) {
                values.insert(name, self.json(&ty, 3));
            }
        }
        if self.chance(5) {
            values.insert("undeclared".to_owned(), json!(1));
        }
        values
    }
}
