//! Random values of input types, as literals of a document and as JSON.

use apollo_compiler::{
    ast::{InputValueDefinition, Type},
    schema::ExtendedType,
};
use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::generator::Generator;

const STRINGS: [&str; 8] = [
    "\"a\"",
    "\"\"",
    "\"\\u00e9\\n\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\u{1F600}\"",
    "\"\"\"b \\\"\"\" c\"\"\"",
    "\"\"\"\n  d\n    e\n  \"\"\"",
    "\"usr_01h2xcejqtf2nbrexx3vqjhp41\"",
];

impl Generator<'_> {
    /// A literal or a variable of this type.
    pub(super) fn literal(&mut self, ty: &Type, depth: usize) -> String {
        if self.chance(20) {
            return self.variable(ty);
        }
        if !ty.is_non_null() && self.chance(5) || self.chance(1) {
            return "null".to_owned();
        }
        if self.chance(2) {
            let wrong = [
                "1",
                "\"wrong\"",
                "WRONG",
                "[1]",
                "{wrong: 1}",
                "1.5",
                "true",
            ];
            return (*wrong.choose(&mut self.rng).unwrap()).to_owned();
        }
        if ty.is_list() && self.chance(85) {
            let count = self.rng.random_range(0..3);
            let items: Vec<_> = (0..count)
                .map(|_| self.literal(ty.item_type(), depth))
                .collect();
            return format!("[{}]", items.join(", "));
        }
        match &self.schema.types[ty.inner_named_type()] {
            ExtendedType::Enum(definition) => {
                let values: Vec<_> = definition.values.keys().collect();
                values.choose(&mut self.rng).unwrap().to_string()
            }
            ExtendedType::InputObject(object) => {
                let is_one_of = object.directives.has("oneOf");
                let fields = object.fields.values();
                let fields: Vec<_> = fields.map(|field| field.node.clone()).collect();
                let chosen = self.fields_of(&fields, is_one_of, depth);
                let mut given: Vec<_> = chosen
                    .iter()
                    .map(|field| {
                        format!(
                            "{}: {}",
                            field.name,
                            self.literal(&field.ty, depth.saturating_sub(1))
                        )
                    })
                    .collect();
                if self.chance(2)
                    && let Some(twice) = given.first().cloned()
                {
                    given.push(twice);
                }
                format!("{{{}}}", given.join(", "))
            }
            definition => match definition.name().as_str() {
                "Int" => (*["0", "7", "-3", "2147483647"]
                    .choose(&mut self.rng)
                    .unwrap())
                .to_owned(),
                "Float" => (*["0", "1.5", "-2e3"].choose(&mut self.rng).unwrap()).to_owned(),
                "Boolean" => (*["true", "false"].choose(&mut self.rng).unwrap()).to_owned(),
                "ID" if self.chance(20) => "7".to_owned(),
                _ => (*STRINGS.choose(&mut self.rng).unwrap()).to_owned(),
            },
        }
    }

    /// The fields of an input object that are given.
    fn fields_of<T: std::ops::Deref<Target = InputValueDefinition> + Clone>(
        &mut self,
        fields: &[T],
        is_one_of: bool,
        depth: usize,
    ) -> Vec<T> {
        if is_one_of && self.chance(92) {
            return fields.choose(&mut self.rng).cloned().into_iter().collect();
        }
        let optional = if depth == 0 { 0 } else { 30 };
        fields
            .iter()
            .filter(|field| {
                let percent = if field.is_required() { 98 } else { optional };
                self.chance(percent)
            })
            .cloned()
            .collect()
    }

    /// A value of this type, or sometimes another one.
    pub(super) fn json(&mut self, ty: &Type, depth: usize) -> Value {
        if !ty.is_non_null() && self.chance(8) || self.chance(1) {
            return Value::Null;
        }
        if self.chance(2) {
            let wrong = [
                json!(1),
                json!("wrong"),
                json!([1]),
                json!({ "wrong": 1 }),
                json!(1.5),
                json!(true),
            ];
            return wrong.choose(&mut self.rng).unwrap().clone();
        }
        if ty.is_list() && self.chance(85) {
            let count = self.rng.random_range(0..3);
            return (0..count)
                .map(|_| self.json(ty.item_type(), depth))
                .collect();
        }
        match &self.schema.types[ty.inner_named_type()] {
            ExtendedType::Enum(definition) => {
                let values: Vec<_> = definition.values.keys().collect();
                json!(values.choose(&mut self.rng).unwrap().as_str())
            }
            ExtendedType::InputObject(object) => {
                let is_one_of = object.directives.has("oneOf");
                let fields = object.fields.values();
                let fields: Vec<_> = fields.map(|field| field.node.clone()).collect();
                let chosen = self.fields_of(&fields, is_one_of, depth);
                let fields = chosen.iter().map(|field| {
                    let value = self.json(&field.ty, depth.saturating_sub(1));
                    (field.name.to_string(), value)
                });
                Value::Object(fields.collect())
            }
            definition => match definition.name().as_str() {
                "Int" => json!([0, 7, -3].choose(&mut self.rng).unwrap()),
                "Float" => json!([0.0, 1.5].choose(&mut self.rng).unwrap()),
                "Boolean" => json!(self.chance(50)),
                "ID" if self.chance(20) => json!(7),
                _ => json!(["", "a", "😀"].choose(&mut self.rng).unwrap()),
            },
        }
    }
}
