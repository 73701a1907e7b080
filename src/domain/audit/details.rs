//! What an entry records about persons. It can be erased.

use serde::{Deserialize, Serialize};

use crate::{entity::audit_entry, error::Error};

/// A changed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditChange {
    /// The name of the field, as the schema spells it.
    pub field: String,
    /// The value before, as text.
    pub before: Option<String>,
    /// The value after, as text.
    pub after: Option<String>,
}

/// The details of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditDetails {
    /// The username of the actor at the time.
    pub actor: Option<String>,
    /// The username of the target at the time.
    pub target: Option<String>,
    /// The network address of the request.
    pub ip_address: Option<String>,
    /// What changed.
    pub changes: Vec<AuditChange>,
    /// Random, so that erased details cannot be guessed from their hash.
    salt: String,
}

impl AuditDetails {
    /// Creates details with a new salt.
    pub(super) fn new(
        actor: Option<String>,
        target: Option<String>,
        ip_address: Option<String>,
        changes: Vec<AuditChange>,
    ) -> Self {
        Self {
            actor,
            target,
            ip_address,
            changes,
            salt: format!("{:032x}", rand::random::<u128>()),
        }
    }

    /// The details of an entry; none after they were erased.
    pub fn of(entry: &audit_entry::Model) -> Result<Option<Self>, Error> {
        let details = entry.details.as_deref().map(serde_json::from_str);
        details.transpose().map_err(Error::internal)
    }

    /// The text that is stored and hashed.
    pub(super) fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(Error::internal)
    }
}
