//! Builds the document that the executor runs: one operation without fragments and without `@skip` and `@include`, in
//! which an object has each response key once. The executor would run a field once for each time that it is selected.
//!
//! This is `CollectFields` and `MergeSelectionSets` of the specification, before the execution instead of during it. The
//! type of an object is then known only if its field returns an object type. For an interface, the fields that apply to
//! some of its types remain in inline fragments, one for each type.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use apollo_compiler::{
    Name, Node,
    ast::Value,
    collections::IndexMap,
    executable::{DirectiveList, Field, Selection, SelectionSet},
};
use async_graphql::parser::types::{self, BaseType};
use async_graphql::{Name as Key, Pos, Positioned};

use super::convert;
use super::document::{Document, Selected};
use super::equal_arguments::same_arguments;
use super::error::{GuardError, Stage};
use super::limits::Limits;
use super::merged_operation::{MergedOperation, RootField};
use super::schema::CompiledSchema;
use super::selections::conditions_of;

/// The maximum size of the merged operation, as a multiple of the limit on fields before merging. A field of an interface
/// is repeated for each type to which other fields under the same key apply, and a fragment wherever it is spread.
const REPETITIONS: u64 = 4;
/// The bytes of a string that count as one value.
const STRING_BYTES: usize = 64;

/// What merging depends on besides the document.
pub(super) struct Circumstances<'a> {
    pub(super) schema: &'a CompiledSchema,
    pub(super) limits: &'a Limits,
    /// The variables of conditions that are true; none to select every field, regardless of its conditions.
    pub(super) conditions: Option<&'a HashSet<&'a str>>,
    /// The variables without a value.
    pub(super) omitted: &'a HashSet<Key>,
}

/// The types of the objects that a selection applies to.
type Types<'d> = Rc<[&'d str]>;

/// A field that is selected for objects of these types.
struct Collected<'d> {
    types: Types<'d>,
    field: &'d Node<Field>,
}

/// A field of the result.
struct Output<'d> {
    types: Types<'d>,
    size: u64,
    field: Positioned<types::Field>,
}

/// Fails if fields that may be merged have different arguments.
pub(super) fn check_arguments(
    document: &Document,
    selected: &Selected<'_>,
    schema: &CompiledSchema,
    limits: &Limits,
) -> Result<(), GuardError> {
    let circumstances = Circumstances {
        schema,
        limits,
        conditions: None,
        omitted: &HashSet::new(),
    };
    merge(document, selected, &circumstances).map(drop)
}

/// Merges the selected operation, whose expanded fields the caller has limited.
pub(super) fn merge(
    document: &Document,
    selected: &Selected<'_>,
    circumstances: &Circumstances<'_>,
) -> Result<MergedOperation, GuardError> {
    let operation = selected.operation;
    let mut merger = Merger {
        document,
        circumstances,
        size: 0,
    };
    let root = &operation.selection_set;
    let root_selections = merger.collect_all(&root.ty, &[root]).len();
    let mut items = merger.selections(&root.ty, &[root])?;
    let roots: Vec<_> = items.iter().filter_map(RootField::of).collect();
    items.retain(|item| !RootField::of(item).is_some_and(|root| root.is_introspection()));
    let pos = merger.position(operation.location());
    let definitions = operation.variables.iter();
    let definitions = definitions
        .filter(|variable| !circumstances.omitted.contains(variable.name.as_str()))
        .map(|variable| merger.variable(variable));
    let definition = types::OperationDefinition {
        ty: selected.kind(),
        variable_definitions: definitions.collect(),
        directives: vec![],
        selection_set: Positioned::new(types::SelectionSet { items }, pos),
    };
    Ok(MergedOperation {
        roots,
        root_selections,
        size: merger.size,
        document: types::ExecutableDocument {
            operations: types::DocumentOperations::Single(Positioned::new(definition, pos)),
            fragments: HashMap::new(),
        },
    })
}

struct Merger<'d> {
    document: &'d Document,
    circumstances: &'d Circumstances<'d>,
    /// The fields of the result so far and the values of their arguments.
    size: u64,
}

impl<'d> Merger<'d> {
    /// Merges selection sets of objects of this type. Recurses on nested fields, whose depth the caller has limited.
    fn selections(
        &mut self,
        ty: &'d str,
        sets: &[&'d SelectionSet],
    ) -> Result<Vec<Positioned<types::Selection>>, GuardError> {
        let collected = self.collect_all(ty, sets);
        let mut by_key: IndexMap<&str, Vec<usize>> = IndexMap::default();
        for (index, one) in collected.iter().enumerate() {
            by_key
                .entry(one.field.response_key().as_str())
                .or_default()
                .push(index);
        }
        let mut output = Vec::with_capacity(by_key.len());
        for members in by_key.values() {
            for (types, members) in classes(&collected, members) {
                let fields = members.iter().filter_map(|&index| collected.get(index));
                let fields: Vec<_> = fields.map(|one| one.field).collect();
                let before = self.size;
                if let (Some(&at), Some(field)) = (members.first(), self.field(&fields)?) {
                    let size = self.size.saturating_sub(before);
                    output.push((at, Output { types, size, field }));
                }
            }
        }
        output.sort_by_key(|(at, _)| *at);
        let output: Vec<_> = output.into_iter().map(|(_, output)| output).collect();
        self.assemble(ty, &output)
    }

    fn collect_all(&self, ty: &'d str, sets: &[&'d SelectionSet]) -> Vec<Collected<'d>> {
        let (mut spread, mut collected) = (HashMap::new(), vec![]);
        let all = self.possible_types(ty);
        for set in sets {
            // A type that narrows an interface can return an object type where the interface returns another interface.
            let types = self.narrow(&all, &set.ty);
            self.collect(set, &types, &mut spread, &mut collected);
        }
        collected
    }

    /// Collects the fields that apply to objects of these types. `spread` are the fragments that were collected, and for
    /// which types: repeating them would change nothing.
    fn collect(
        &self,
        set: &'d SelectionSet,
        types: &Types<'d>,
        spread: &mut HashMap<&'d str, Vec<&'d str>>,
        collected: &mut Vec<Collected<'d>>,
    ) {
        for selection in &set.selections {
            if !self.is_included(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => collected.push(Collected {
                    types: Rc::clone(types),
                    field,
                }),
                Selection::InlineFragment(inline) => {
                    let types = self.narrow(types, &inline.selection_set.ty);
                    if !types.is_empty() {
                        self.collect(&inline.selection_set, &types, spread, collected);
                    }
                }
                Selection::FragmentSpread(one) => {
                    let fragments = &self.document.valid.fragments;
                    let Some(fragment) = fragments.get(&one.fragment_name) else {
                        continue;
                    };
                    let done = spread.entry(one.fragment_name.as_str()).or_default();
                    let types = self.narrow(types, fragment.type_condition());
                    let new: Vec<_> = types.iter().copied().collect();
                    let new: Vec<_> = new.into_iter().filter(|ty| !done.contains(ty)).collect();
                    if !new.is_empty() {
                        done.extend(&new);
                        self.collect(&fragment.selection_set, &new.into(), spread, collected);
                    }
                }
            }
        }
    }

    fn is_included(&self, directives: &DirectiveList) -> bool {
        let Some(conditions) = self.circumstances.conditions else {
            return true;
        };
        conditions_of(directives).all(|(includes, value)| match value {
            Value::Boolean(value) => *value == includes,
            Value::Variable(name) => conditions.contains(name.as_str()) == includes,
            _ => false,
        })
    }

    fn possible_types(&self, ty: &str) -> Types<'d> {
        let types = self.circumstances.schema.possible_types(ty).iter();
        types.map(Name::as_str).collect()
    }

    /// Those of the types to which a condition on `ty` applies.
    fn narrow(&self, types: &Types<'d>, ty: &str) -> Types<'d> {
        let possible = self.circumstances.schema.possible_types(ty);
        let applies = |one: &&str| possible.iter().any(|possible| possible == one);
        if types.iter().all(&applies) {
            return Rc::clone(types);
        }
        types.iter().copied().filter(applies).collect()
    }

    /// Merges fields with the same response key; none without fields.
    fn field(
        &mut self,
        fields: &[&'d Node<Field>],
    ) -> Result<Option<Positioned<types::Field>>, GuardError> {
        let Some(&first) = fields.first() else {
            return Ok(None);
        };
        let arguments = first.arguments.iter();
        let values = arguments.map(|argument| size_of(&argument.value)).sum();
        self.count(1)?;
        self.count(values)?;
        let pos = self.position(first.location());
        let mut others = fields.iter().skip(1);
        if let Some(other) = others.find(|other| !same_arguments(first, other)) {
            let key = first.response_key();
            let message = format!("The fields under the key `{key}` have different arguments.");
            let at = self.position(other.location());
            return Err(GuardError::invalid(message, Some(at)));
        }
        let key = |name: &Name| Positioned::new(Key::new(name), self.position(name.location()));
        let arguments = first.arguments.iter().filter_map(|argument| {
            let value = convert::argument(&argument.value, self.circumstances.omitted)?;
            let pos = self.position(argument.value.location());
            Some((key(&argument.name), Positioned::new(value, pos)))
        });
        let (alias, name) = (first.alias.as_ref().map(key), key(&first.name));
        let arguments = arguments.collect();
        let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
        let items = if first.selection_set.is_empty() {
            vec![]
        } else {
            self.selections(&first.selection_set.ty, &sets)?
        };
        let field = types::Field {
            alias,
            name,
            arguments,
            directives: vec![],
            selection_set: Positioned::new(types::SelectionSet { items }, pos),
        };
        Ok(Some(Positioned::new(field, pos)))
    }

    /// Puts the fields that apply to some types only into inline fragments.
    fn assemble(
        &mut self,
        ty: &str,
        output: &[Output<'d>],
    ) -> Result<Vec<Positioned<types::Selection>>, GuardError> {
        let all = self.circumstances.schema.possible_types(ty).len();
        let mut items = Vec::with_capacity(output.len());
        for run in output.chunk_by(|one, next| one.types == next.types) {
            let fields = run.iter().map(|output| {
                let (field, pos) = (output.field.clone(), output.field.pos);
                Positioned::new(types::Selection::Field(field), pos)
            });
            let Some(first) = run.first() else { continue };
            if first.types.len() == all {
                items.extend(fields);
                continue;
            }
            let (fields, pos): (Vec<_>, _) = (fields.collect(), first.field.pos);
            for (repetition, ty) in first.types.iter().enumerate() {
                if repetition > 0 {
                    self.count(run.iter().map(|output| output.size).sum())?;
                }
                let condition = types::TypeCondition {
                    on: Positioned::new(Key::new(ty), pos),
                };
                let items_of_type = types::SelectionSet {
                    items: fields.clone(),
                };
                let inline = types::InlineFragment {
                    type_condition: Some(Positioned::new(condition, pos)),
                    directives: vec![],
                    selection_set: Positioned::new(items_of_type, pos),
                };
                let inline = types::Selection::InlineFragment(Positioned::new(inline, pos));
                items.push(Positioned::new(inline, pos));
            }
        }
        Ok(items)
    }

    fn variable(
        &self,
        variable: &Node<apollo_compiler::ast::VariableDefinition>,
    ) -> Positioned<types::VariableDefinition> {
        let pos = self.position(variable.location());
        let ty = types::Type::new(&variable.ty.to_string());
        let definition = types::VariableDefinition {
            name: Positioned::new(Key::new(&variable.name), pos),
            var_type: Positioned::new(ty.unwrap_or_else(|| any_type(&variable.name)), pos),
            directives: vec![],
            // The value is among the variables.
            default_value: None,
        };
        Positioned::new(definition, pos)
    }

    fn position(&self, location: Option<apollo_compiler::parser::SourceSpan>) -> Pos {
        let at = location.map(|location| self.document.lines.position(location.offset()));
        at.unwrap_or_default()
    }

    fn count(&mut self, size: u64) -> Result<(), GuardError> {
        self.size = self.size.saturating_add(size);
        let maximum = self.circumstances.limits.fields;
        let maximum = maximum.saturating_mul(REPETITIONS);
        if self.size <= maximum {
            return Ok(());
        }
        let (stage, found) = (Stage::Validation, self.size);
        Err(GuardError::limit_exceeded(
            stage,
            "mergedSize",
            maximum,
            found,
        ))
    }
}

/// The number of values in an argument. Recurses on brackets, whose depth the lexer limits.
fn size_of(value: &Value) -> u64 {
    match value {
        Value::List(items) => 1 + items.iter().map(|item| size_of(item)).sum::<u64>(),
        Value::Object(fields) => 1 + fields.iter().map(|(_, value)| size_of(value)).sum::<u64>(),
        Value::String(text) => u64::try_from(1 + text.len() / STRING_BYTES).unwrap_or(u64::MAX),
        _ => 1,
    }
}

/// A type that the printed form of a type always has.
fn any_type(name: &Name) -> types::Type {
    types::Type {
        base: BaseType::Named(Key::new(name)),
        nullable: true,
    }
}

/// The fields with one response key, by the types of objects to which the same of them apply.
fn classes<'d>(collected: &[Collected<'d>], members: &[usize]) -> Vec<(Types<'d>, Vec<usize>)> {
    let of = |index: &usize| collected.get(*index);
    let Some(first) = members.first().and_then(of) else {
        return vec![];
    };
    if members
        .iter()
        .filter_map(of)
        .all(|one| one.types == first.types)
    {
        return vec![(Rc::clone(&first.types), members.to_vec())];
    }
    // Merging fields without selections changes nothing, so that the first one is enough.
    let is_leaf = first.field.selection_set.is_empty();
    let mut classes: IndexMap<Vec<usize>, Vec<&str>> = IndexMap::default();
    let mut seen = HashSet::new();
    for ty in members
        .iter()
        .filter_map(of)
        .flat_map(|one| one.types.iter())
    {
        if seen.insert(*ty) {
            let applies = |index: &&usize| of(index).is_some_and(|one| one.types.contains(ty));
            let applying = members.iter().filter(applies).copied();
            let count = if is_leaf { 1 } else { usize::MAX };
            classes
                .entry(applying.take(count).collect())
                .or_default()
                .push(*ty);
        }
    }
    classes
        .into_iter()
        .map(|(members, types)| (types.into(), members))
        .collect()
}
