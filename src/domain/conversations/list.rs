//! Lists the viewer's conversations.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
    sea_query::{Expr, Query},
};

use crate::{
    db::{self, PageSource, RowRef},
    domain::{conversations::visible, predicates::unread, reads::count, sessions::Viewer, users},
    entity::{
        conversation::{self, ConversationKind},
        partial::{self, Columns, Partial, RowKey},
        participant, user,
    },
    error::Error,
    id::ConversationId,
};

/// The filter of the list. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct ConversationFilter {
    /// Only this kind.
    pub kind: Option<ConversationKind>,
    /// Only those with something unread, replies included.
    pub unread_only: bool,
    /// Only archived ones, only others, or both if it is missing.
    pub is_archived: Option<bool>,
    /// The title or the name of one of the others contains this.
    pub text: Option<String>,
}

partial::row_key!(
    /// The position of a conversation in the list.
    ConversationListKey of conversation {
        /// The conversation.
        id: ConversationId,
        /// When it was last active.
        last_activity_at: DateTime<Utc>,
    }
);

/// The columns that are read of the conversations in the list.
#[derive(Clone, Debug)]
pub struct ConversationColumns {
    /// Of the conversation.
    pub conversation: Columns<conversation::Column>,
    /// Of the viewer's participant row.
    pub participant: Columns<participant::Column>,
    /// The number of unread root messages.
    pub unread: bool,
}

/// A conversation of the list of which some columns are read.
#[derive(Clone, Debug)]
pub struct ConversationRow {
    /// Its position.
    pub key: ConversationListKey,
    /// The conversation.
    pub conversation: Partial<conversation::Model>,
    /// The viewer's participant row, if its columns were read.
    pub participant: Option<Partial<participant::Model>>,
    /// The number of unread root messages, if it was read.
    pub unread: Option<i64>,
}

/// So many of the viewer's conversations that are not hidden, most recently active first, from after this one.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    narrowing: &ConversationFilter,
    after: Option<(DateTime<Utc>, ConversationId)>,
    limit: u64,
) -> Result<Vec<conversation::Model>, Error> {
    let select = select(viewer, narrowing, after).limit(limit);
    Ok(select.all(db).await?)
}

/// [`list`] with some columns of each conversation.
pub async fn list_columns<C: PageSource>(
    db: &C,
    viewer: &Viewer,
    narrowing: &ConversationFilter,
    after: Option<(DateTime<Utc>, ConversationId)>,
    limit: u64,
    columns: &ConversationColumns,
) -> Result<Vec<ConversationRow>, Error> {
    let mut select = select(viewer, narrowing, after).limit(limit).select_only();
    let of_conversation = columns.conversation.with(ConversationListKey::COLUMNS);
    for column in of_conversation.names() {
        select = select.expr(Expr::col((conversation::Entity, column)));
    }
    for column in columns.participant.names() {
        select = select.expr(Expr::col((participant::Entity, column)));
    }
    if columns.unread {
        let count = count::timeline(db.get_database_backend(), "conversation", "participant");
        // Up to the floor everything is read.
        select = select.expr(Expr::cust(format!(
            "CASE WHEN conversation.last_root_seq > participant.read_floor_seq THEN {count} ELSE 0 END"
        )));
    }
    let read = |row: &RowRef<'_>| {
        let (key, conversation) = Partial::read_with_key(row, &of_conversation, 0)?;
        let from = of_conversation.len();
        let end = from + columns.participant.len();
        let participant = || Partial::read(row, &columns.participant, from);
        Ok(ConversationRow {
            key,
            conversation,
            participant: (end > from).then(participant).transpose()?,
            unread: columns.unread.then(|| row.get(end)).transpose()?,
        })
    };
    let statement = select.build(db.get_database_backend());
    db::fetch_page(db, statement, read).await
}

fn select(
    viewer: &Viewer,
    narrowing: &ConversationFilter,
    after: Option<(DateTime<Utc>, ConversationId)>,
) -> Select<conversation::Entity> {
    let mut list = visible(viewer)
        .order_by_desc(conversation::Column::LastActivityAt)
        .order_by_desc(conversation::Column::Id);
    if let Some((at, id)) = after {
        let earlier = conversation::Column::LastActivityAt.lt(at);
        let same = conversation::Column::LastActivityAt.eq(at);
        let next = same.and(conversation::Column::Id.lt(id));
        list = list.filter(earlier.or(next));
    }
    if let Some(kind) = narrowing.kind {
        list = list.filter(conversation::Column::Kind.eq(kind));
    }
    if narrowing.unread_only {
        list = list.filter(Expr::cust(format!(
            "EXISTS (SELECT 1 FROM participant p
             JOIN message m ON m.conversation_id = p.conversation_id
             WHERE p.id = participant.id AND {})",
            unread("m", "p")
        )));
    }
    list = list.filter(put_away(participant::Column::HiddenSeq).not());
    if let Some(is_archived) = narrowing.is_archived {
        let archived = put_away(participant::Column::ArchivedSeq);
        list = list.filter(if is_archived {
            archived
        } else {
            archived.not()
        });
    }
    if let Some(text) = &narrowing.text {
        list = list.filter(contains(viewer, text));
    }
    list
}

/// [`participant::is_put_away`] for this column.
fn put_away(at_seq: participant::Column) -> Expr {
    let last_seq = Expr::col((conversation::Entity, conversation::Column::LastSeq));
    Expr::col((participant::Entity, at_seq))
        .if_null(-1)
        .gte(last_seq)
}

/// The title, or the name of another participant, contains this text.
fn contains(viewer: &Viewer, text: &str) -> Condition {
    let other = || "other";
    let of_this = Expr::col((other(), participant::Column::ConversationId))
        .equals((conversation::Entity, conversation::Column::Id));
    let not_viewer = Expr::col((other(), participant::Column::UserId)).ne(viewer.user);
    let who =
        Expr::col((user::Entity, user::Column::Id)).equals((other(), participant::Column::UserId));
    let others = Query::select()
        .expr(Expr::val(1))
        .from_as(participant::Entity, other())
        .inner_join(user::Entity, who)
        .and_where(of_this)
        .and_where(not_viewer)
        .cond_where(users::name_matches(text))
        .to_owned();
    let title = conversation::Column::TitleKey.into_expr();
    Condition::any()
        .add(title.like(users::like_pattern(text)))
        .add(Expr::exists(others))
}
