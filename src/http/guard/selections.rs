//! Visits the selections of a document.

use apollo_compiler::{
    ExecutableDocument, Name,
    ast::Value,
    executable::{DirectiveList, Operation, Selection, SelectionSet},
};

/// Calls `visit` for each selection that the operation reaches, those of a fragment once.
pub(super) fn each_selection<'d>(
    document: &'d ExecutableDocument,
    operation: &'d Operation,
    mut visit: impl FnMut(&'d Selection),
) {
    let mut spread: Vec<&Name> = vec![];
    let mut pending: Vec<&SelectionSet> = vec![&operation.selection_set];
    while let Some(set) = pending.pop() {
        for selection in &set.selections {
            visit(selection);
            match selection {
                Selection::Field(field) => pending.push(&field.selection_set),
                Selection::InlineFragment(inline) => pending.push(&inline.selection_set),
                Selection::FragmentSpread(one) if !spread.contains(&&one.fragment_name) => {
                    spread.push(&one.fragment_name);
                    let fragment = document.fragments.get(&one.fragment_name);
                    pending.extend(fragment.map(|fragment| &fragment.selection_set));
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// The argument `if` of `@skip` and `@include`, with whether it includes the selection.
pub(super) fn conditions_of(directives: &DirectiveList) -> impl Iterator<Item = (bool, &Value)> {
    directives.iter().filter_map(|directive| {
        let includes = match directive.name.as_str() {
            "include" => true,
            "skip" => false,
            _ => return None,
        };
        let value = directive.specified_argument_by_name("if")?;
        Some((includes, &**value))
    })
}
