//! The rules about root fields: sensitive mutations are the only field of their operation, and a subscription has
//! exactly one field.

use async_graphql::Positioned;
use async_graphql::parser::types::{Field, OperationType};

use super::{
    document::{Document, Selected},
    error::GuardError,
};

/// Mutations that verify a secret or end access. An operation with one of them has no other field, so that a request
/// is a single attempt.
const SENSITIVE_MUTATIONS: [&str; 17] = [
    "cancelAccountDeletion",
    "changeEmail",
    "changePassword",
    "completeSignIn",
    "confirmTotpSetup",
    "createAccessToken",
    "deleteAccount",
    "disableTotp",
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

/// Checks the root fields of the selected operation.
pub(super) fn check(
    roots: &[&Positioned<Field>],
    document: &Document,
    selected: &Selected<'_>,
) -> Result<(), GuardError> {
    let error = |message| Err(GuardError::invalid(message, Some(selected.operation.pos)));
    let name = |field: &&Positioned<Field>| field.node.name.node.clone();
    match selected.kind() {
        OperationType::Query => Ok(()),
        OperationType::Mutation => {
            let is_sensitive = |field| SENSITIVE_MUTATIONS.contains(&name(field).as_str());
            if roots.len() > 1 && roots.iter().any(is_sensitive) {
                return error("A mutation about accounts and secrets must be the only field.");
            }
            Ok(())
        }
        OperationType::Subscription => {
            if roots.len() != 1 || roots.iter().any(|root| name(root).starts_with("__")) {
                return error("A subscription must have exactly one root field.");
            }
            if document.root_has_directives(selected) {
                return error("A subscription's root field cannot be skipped or included.");
            }
            Ok(())
        }
    }
}
