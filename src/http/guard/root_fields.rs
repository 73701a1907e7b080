//! The rules about root fields: their number, sensitive mutations, and subscriptions.

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    executable::{Operation, Selection},
};
use async_graphql::{Pos, parser::types::OperationType};

use super::{
    document::{Document, Selected},
    error::{GuardError, Stage},
    limits::Limits,
    merged_operation::{MergedOperation, RootField},
    position::Lines,
};

/// Mutations that verify a secret or end access. An operation with one of them has no other field, so that a request
/// is a single attempt.
const SENSITIVE_MUTATIONS: [&str; 18] = [
    "cancelAccountDeletion",
    "changeEmail",
    "changePassword",
    "completeSignIn",
    "confirmTotpSetup",
    "createAccessToken",
    "deleteAccount",
    "disableTotp",
    "reauthenticate",
    "refreshSession",
    "regenerateRecoveryCodes",
    "register",
    "requestPasswordReset",
    "resendEmailVerification",
    "resetPassword",
    "signIn",
    "startTotpSetup",
    "verifyEmail",
];

/// What a viewer may use before setting up the second factor that the server requires: fields that set it up or end the
/// session, and those that need no session.
const WITHOUT_SECOND_FACTOR: [&str; 14] = [
    "__schema",
    "__type",
    "__typename",
    "completeSignIn",
    "confirmTotpSetup",
    "reauthenticate",
    "refreshSession",
    "requestPasswordReset",
    "resetPassword",
    "server",
    "signIn",
    "signOut",
    "startTotpSetup",
    "verifyEmail",
];

/// Whether a root field needs the second factor of a viewer of whom the server requires one.
pub(super) fn needs_second_factor(merged: &MergedOperation) -> bool {
    let mut roots = merged.roots.iter();
    roots.any(|root| !WITHOUT_SECOND_FACTOR.contains(&root.name.as_str()))
}

/// Checks the root fields of a merged operation.
pub(super) fn check(
    document: &Document,
    selected: &Selected<'_>,
    merged: &MergedOperation,
    limits: &Limits,
) -> Result<(), GuardError> {
    let roots = &merged.roots;
    // Each is executed, as if it had an alias.
    let found = u64::try_from(roots.len()).unwrap_or(u64::MAX);
    if found > limits.aliases {
        return Err(GuardError::limit_exceeded(
            Stage::Validation,
            "rootFields",
            limits.aliases,
            found,
        ));
    }
    let is_sensitive = |root: &RootField| SENSITIVE_MUTATIONS.contains(&root.name.as_str());
    if selected.kind() == OperationType::Mutation
        && merged.root_selections > 1
        && roots.iter().any(is_sensitive)
    {
        let message = "A mutation about accounts and secrets must be the only field.";
        let at = position(selected.operation, &document.lines);
        return Err(GuardError::invalid(message, at));
    }
    Ok(())
}

/// Checks that a subscription has one root field. Its conditions do not matter: they are not allowed there.
/// <https://spec.graphql.org/September2025/#sec-Single-Root-Field>
pub(super) fn check_subscription(
    document: &ExecutableDocument,
    operation: &Node<Operation>,
    lines: &Lines,
) -> Result<(), GuardError> {
    let (mut keys, mut spread): (Vec<&Name>, Vec<&Name>) = (vec![], vec![]);
    let mut pending = vec![&operation.selection_set];
    while let Some(set) = pending.pop() {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => keys.push(field.response_key()),
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
    keys.dedup();
    if operation.is_subscription() && keys.len() != 1 {
        let message = "A subscription must have exactly one root field.";
        return Err(GuardError::invalid(message, position(operation, lines)));
    }
    Ok(())
}

fn position(operation: &Node<Operation>, lines: &Lines) -> Option<Pos> {
    let at = operation.location()?;
    Some(lines.position(at.offset()))
}
