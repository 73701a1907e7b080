//! The `AuditEntry` type and its list.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    domain::{
        audit::{self, AuditDetails},
        pagination::PageRequest,
        sessions::Viewer,
        text,
    },
    entity::audit_entry::{self, Column},
    graphql::{
        connection::connection,
        context::{app, loaders, viewer},
        errors::{Result, nullable},
        list_plan::PlannedObject,
        pagination::Page,
        scalars::DateTime,
        users::{loader::UserKey, types::User},
    },
    id::{AuditEntryId, UserId},
};

/// A recorded action.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    row: audit_entry::Model,
    details: Option<AuditDetails>,
}

impl AuditEntry {
    fn new(row: audit_entry::Model) -> Result<Self> {
        let details = AuditDetails::of(&row)?;
        Ok(Self { row, details })
    }
}

/// A recorded action.
#[Object]
impl AuditEntry {
    /// Unique id.
    pub async fn id(&self) -> AuditEntryId {
        self.row.id
    }

    /// Number of the entry; the log has no gaps.
    async fn sequence(&self) -> i32 {
        i32::try_from(self.row.sequence).unwrap_or(i32::MAX)
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTime {
        self.row.occurred_at.into()
    }

    /// Dotted name, e.g. session.started.
    async fn action(&self) -> &str {
        &self.row.action
    }

    /// Whether the action was carried out or refused.
    async fn outcome(&self) -> AuditOutcome {
        self.row.outcome.into()
    }

    /// Who did it; null for the server itself and for erased accounts.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let actor = self.row.actor_id?;
        nullable(loaders(ctx).load_one(UserKey(actor))).await
    }

    /// Username of the actor at the time; null for the server itself, and once the account is erased.
    async fn actor_label(&self) -> Option<&str> {
        self.details.as_ref()?.actor.as_deref()
    }

    /// Network address of the request; null for the server itself, and once the account is erased.
    async fn ip_address(&self) -> Option<&str> {
        self.details.as_ref()?.ip_address.as_deref()
    }

    /// Id of the request, which also finds its log lines; null for the server itself.
    async fn request_id(&self) -> Option<&str> {
        self.row.request_id.as_deref()
    }

    /// Id of the object concerned, whether or not it still exists; null when there is none.
    async fn target_id(&self) -> Option<async_graphql::ID> {
        self.row.target_id.clone().map(Into::into)
    }

    /// Name of that object at the time; null when it has none.
    async fn target_label(&self) -> Option<&str> {
        self.details.as_ref()?.target.as_deref()
    }

    /// What changed.
    async fn changes(&self) -> Vec<AuditChange> {
        let changes = self.details.iter().flat_map(|details| &details.changes);
        changes.cloned().map(Into::into).collect()
    }

    /// Hash of the entry and of the hash before it (SHA-256, hexadecimal).
    async fn hash(&self) -> String {
        text::hex(&self.row.hash)
    }
}

impl PlannedObject for AuditEntry {}

connection!(
    AuditEntryConnection,
    AuditEntryEdge,
    AuditEntry,
    "A page of the audit log.",
    "An audit entry in a page."
);

/// Whether a recorded action was carried out.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "audit_entry::AuditOutcome")]
pub enum AuditOutcome {
    /// It was carried out.
    Succeeded,
    /// It was refused.
    Refused,
}

/// One changed value in an audit entry. Content and secrets are never recorded.
#[derive(SimpleObject, Clone, Debug)]
pub struct AuditChange {
    /// Name of the field.
    field: String,
    /// Value before, as text; null when there was none or it is not recorded.
    before: Option<String>,
    /// Value after, as text; null when there is none or it is not recorded.
    after: Option<String>,
}

impl From<audit::AuditChange> for AuditChange {
    fn from(change: audit::AuditChange) -> Self {
        Self {
            field: change.field,
            before: change.before,
            after: change.after,
        }
    }
}

/// Narrows the audit log. All conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
pub struct AuditFilter {
    /// Action starts with this, e.g. session.started or session.
    action_prefix: Option<String>,
    /// Only actions with this outcome.
    outcome: Option<AuditOutcome>,
    /// Only actions of this user.
    actor_id: Option<UserId>,
    /// Only actions on this object.
    target_id: Option<async_graphql::ID>,
    /// At or after this time.
    since: Option<DateTime>,
    /// Before this time.
    until: Option<DateTime>,
}

impl From<AuditFilter> for audit::AuditFilter {
    fn from(filter: AuditFilter) -> Self {
        Self {
            action_prefix: filter.action_prefix,
            outcome: filter.outcome.map(Into::into),
            actor: filter.actor_id,
            target: filter.target_id.map(|id| id.0),
            since: filter.since.map(|time| time.0),
            until: filter.until.map(|time| time.0),
        }
    }
}

/// Returns a page of the log, newest first.
pub(super) async fn page(
    ctx: &Context<'_>,
    viewer: &Viewer,
    filter: AuditFilter,
    request: PageRequest<i64>,
) -> Result<AuditEntryConnection> {
    let matching = audit::readable(viewer)?.filter(audit::AuditFilter::from(filter).condition());
    let db = app(ctx).db.read();
    let load = |request: PageRequest<i64>| {
        let rows = matching.clone();
        async move {
            let rows = match request.after {
                Some(after) => rows.filter(Column::Sequence.lt(after)),
                None => rows,
            };
            let rows = rows.order_by_desc(Column::Sequence).limit(request.limit());
            Ok(request.part(rows.all(db).await?))
        }
    };
    let page = Page::read(ctx, &request, |row: &audit_entry::Model| row.sequence, load).await?;
    Ok(page.try_map(AuditEntry::new)?.into())
}

/// Finds an entry by its id; none for viewers who may not read the log.
pub(in crate::graphql) async fn entry(
    ctx: &Context<'_>,
    id: AuditEntryId,
) -> Result<Option<AuditEntry>> {
    let found = audit::find(&app(ctx).db, viewer(ctx)?, id).await?;
    found.map(AuditEntry::new).transpose()
}
