//! Which entries a viewer reads.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, Select, sea_query::LikeExpr,
};

use crate::{
    db::Db,
    domain::sessions::Viewer,
    entity::{
        audit_entry::{self, AuditOutcome, Column},
        user::ServerRole,
    },
    error::Error,
    id::{AuditEntryId, UserId},
};

/// Narrows the log. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// The beginning of the action, such as `user.`.
    pub action_prefix: Option<String>,
    /// The outcome.
    pub outcome: Option<AuditOutcome>,
    /// The user who acted.
    pub actor: Option<UserId>,
    /// The id of the object, in its text form.
    pub target: Option<String>,
    /// At or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
}

impl AuditFilter {
    /// Returns the condition.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let starts_with = |prefix: &String| {
            let escaped = prefix.to_lowercase().replace('\\', "\\\\");
            let escaped = escaped.replace('%', "\\%").replace('_', "\\_");
            let pattern = LikeExpr::new(format!("{escaped}%")).escape('\\');
            Column::Action.into_expr().like(pattern)
        };
        Condition::all()
            .add_option(self.action_prefix.as_ref().map(starts_with))
            .add_option(self.outcome.map(|outcome| Column::Outcome.eq(outcome)))
            .add_option(self.actor.map(|actor| Column::ActorId.eq(actor)))
            .add_option(
                self.target
                    .as_ref()
                    .map(|target| Column::TargetId.eq(target)),
            )
            .add_option(self.since.map(|since| Column::OccurredAt.gte(since)))
            .add_option(self.until.map(|until| Column::OccurredAt.lt(until)))
    }
}

fn can_read(viewer: &Viewer) -> bool {
    matches!(viewer.role, ServerRole::Auditor | ServerRole::Admin)
}

/// Selects the log for viewers who may read it, and fails with `FORBIDDEN` for others.
pub fn readable(viewer: &Viewer) -> Result<Select<audit_entry::Entity>, Error> {
    if can_read(viewer) {
        return Ok(audit_entry::Entity::find());
    }
    Err(Error::forbidden(
        "Only auditors and administrators can read the audit log.",
    ))
}

/// Finds an entry by its id. For viewers who may not read the log, it does not exist.
pub async fn find(
    db: &Db,
    viewer: &Viewer,
    id: AuditEntryId,
) -> Result<Option<audit_entry::Model>, Error> {
    if !can_read(viewer) {
        return Ok(None);
    }
    let found = audit_entry::Entity::find().filter(Column::Id.eq(id));
    Ok(found.one(db.read()).await?)
}
