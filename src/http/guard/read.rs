//! Reads a document: parses and validates it.

use std::sync::Arc;

use apollo_compiler::{
    ExecutableDocument, Name,
    ast::{self, Value},
    executable::{Operation, Selection},
    parser::Parser,
    validation::{DiagnosticList, Valid},
};

use super::cost::measure_operation;
use super::diagnostics;
use super::document::{Document, OperationFacts, Selected};
use super::error::{GuardError, Stage};
use super::lexer::{Lexed, lex};
use super::limits::Limits;
use super::merge;
use super::position::Lines;
use super::root_fields;
use super::schema::CompiledSchema;
use super::selections::{conditions_of, each_selection};
use super::values;

impl Document {
    /// Parses and validates `text`. The lexer runs first and limits the nesting of brackets, on which the parser
    /// recurses.
    pub fn read(
        text: &str,
        schema: &CompiledSchema,
        limits: &Limits,
    ) -> Result<Self, Vec<GuardError>> {
        let lexed = lex(text, limits)?;
        let lines = Lines::of(text);
        let ast = Parser::new()
            .parse_ast(lexed.without_ignored(text), "document")
            .map_err(|failed| diagnostics::syntax(&failed.errors, &lines))?;
        check_tokens(&ast, text, &lexed, &lines)?;
        check_definitions(&ast, limits)?;
        let document = validate(&ast, schema, &lines, limits)?;
        for operation in document.operations.iter() {
            root_fields::check_subscription(&document, operation, &lines)?;
        }
        let errors = values::check(&document, schema, &lines);
        if !errors.is_empty() {
            return Err(errors);
        }
        let operations = document.operations.iter().enumerate();
        let operations = operations.map(|(index, operation)| {
            let (complexity, sized_by_variables) =
                measure_operation(Some(schema), &document, operation);
            OperationFacts {
                index,
                complexity,
                sized_by_variables,
                conditions: conditions(&document, operation),
                optional: optional(operation),
            }
        });
        let operations = operations.collect();
        let document = Self::new(
            Valid::assume_valid(document),
            lines,
            operations,
            lexed.tokens,
        );
        document.check_arguments(schema, limits)?;
        Ok(document)
    }

    /// Checks that fields under one response key have equal arguments. The library takes a list for equal to a longer
    /// one that begins with it, so this is necessary where an argument contains a list.
    fn check_arguments(&self, schema: &CompiledSchema, limits: &Limits) -> Result<(), GuardError> {
        for (operation, facts) in self.valid.operations.iter().zip(&self.operations) {
            let mut has_list = false;
            each_selection(&self.valid, operation, |selection| {
                if let Selection::Field(field) = selection {
                    let mut arguments = field.arguments.iter();
                    has_list |= arguments.any(|argument| contains_list(&argument.value));
                }
            });
            // An operation that is larger is not admitted.
            if has_list && facts.complexity.check(limits).is_ok() {
                merge::check_arguments(self, &Selected { operation, facts }, schema, limits)?;
            }
        }
        Ok(())
    }
}

/// Checks that the parser has understood each token. It drops an argument and a field of an input object without a
/// value.
fn check_tokens(
    document: &ast::Document,
    text: &str,
    lexed: &Lexed,
    lines: &Lines,
) -> Result<(), GuardError> {
    let printed = document.serialize().no_indent().to_string();
    let unlimited = Limits {
        bytes: u64::MAX,
        tokens: u64::MAX,
        directives: u64::MAX,
        nesting: u64::MAX,
        ..Limits::default()
    };
    let starts = lex(&printed, &unlimited)?.starts;
    let mut printed = starts.iter().map(|&at| token(&printed, at)).peekable();
    for &at in &lexed.starts {
        let token = token(text, at);
        // The keyword of an anonymous query is optional. It is printed unless the query is the first definition.
        let is_omitted = token == "query" && printed.peek() == Some(&"{");
        if token == "{" {
            printed.next_if_eq(&"query");
        }
        if !is_omitted && printed.next_if_eq(&token).is_none() {
            let message = "The document is not valid GraphQL: an argument or a field of an input object has no value.";
            return Err(GuardError::syntax(message, Some(lines.position(at))));
        }
    }
    Ok(())
}

/// The name that starts here, or the first character of another token. A string is printed with other characters.
fn token(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let end = rest.find(|character| !is_of_name(character));
    let end = end.unwrap_or(rest.len()).max(1);
    rest.get(..end).unwrap_or_default()
}

/// Limits the number of definitions before they are validated.
fn check_definitions(document: &ast::Document, limits: &Limits) -> Result<(), GuardError> {
    let count = |predicate: fn(&ast::Definition) -> bool| {
        let found = document.definitions.iter().filter(|&one| predicate(one));
        u64::try_from(found.count()).unwrap_or(u64::MAX)
    };
    let operations = count(|one| one.as_operation_definition().is_some());
    let fragments = count(|one| one.as_fragment_definition().is_some());
    for (limit, maximum, found) in [
        ("operations", limits.operations, operations),
        ("fragments", limits.fragments, fragments),
    ] {
        if found > maximum {
            return Err(GuardError::limit_exceeded(
                Stage::Validation,
                limit,
                maximum,
                found,
            ));
        }
    }
    Ok(())
}

/// Applies the library's rules. The text is not kept in the result. An exceeded limit is reported instead of errors.
fn validate(
    ast: &ast::Document,
    schema: &CompiledSchema,
    lines: &Lines,
    limits: &Limits,
) -> Result<ExecutableDocument, Vec<GuardError>> {
    let invalid = |errors: &DiagnosticList| {
        let errors = diagnostics::invalid(errors, lines, limits);
        if errors.is_empty() {
            return Ok(());
        }
        measure_unvalidated(ast, limits)?;
        Err(errors)
    };
    let built = match ast.to_executable(&schema.schema) {
        Ok(built) => built,
        Err(failed) => {
            invalid(&failed.errors)?;
            failed.partial
        }
    };
    let mut document = match built.validate(&schema.schema) {
        Ok(valid) => valid.into_inner(),
        Err(failed) => {
            invalid(&failed.errors)?;
            failed.partial
        }
    };
    document.sources = Arc::default();
    Ok(document)
}

/// Checks the limits of operations that are not valid, without the schema.
fn measure_unvalidated(ast: &ast::Document, limits: &Limits) -> Result<(), GuardError> {
    let mut ignored = DiagnosticList::new(Arc::default());
    let mut builder = ExecutableDocument::builder(None, &mut ignored);
    builder.add_ast_document(ast, false);
    let document = builder.build();
    for operation in document.operations.iter() {
        measure_operation(None, &document, operation)
            .0
            .check(limits)?;
    }
    Ok(())
}

fn contains_list(value: &Value) -> bool {
    match value {
        Value::List(_) => true,
        Value::Object(fields) => fields.iter().any(|(_, value)| contains_list(value)),
        _ => false,
    }
}

fn conditions(document: &ExecutableDocument, operation: &Operation) -> Vec<Name> {
    let mut names = vec![];
    each_selection(document, operation, |selection| {
        let values = conditions_of(selection.directives()).map(|(_, value)| value);
        names.extend(values.filter_map(|value| value.as_variable().cloned()));
    });
    names.sort_unstable();
    names.dedup();
    names
}

fn optional(operation: &Operation) -> Vec<Name> {
    let variables = operation.variables.iter();
    let optional =
        variables.filter(|variable| !variable.ty.is_non_null() && variable.default_value.is_none());
    optional.map(|variable| variable.name.clone()).collect()
}
