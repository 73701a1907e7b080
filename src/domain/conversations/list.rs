//! The viewer's list of conversations.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, Query},
};

use crate::{
    db::{self, PageSource, RowRef},
    domain::{conversations::visible, predicates::unread, reads::count, sessions::Viewer, users},
    entity::{
        conversation::{self, ConversationKind},
        participant, user,
    },
    error::Error,
    id::ConversationId,
};

/// Which conversations of the list are wanted. Conditions add up.
#[derive(Clone, Debug, Default)]
pub struct ConversationFilter {
    /// Only this kind.
    pub kind: Option<ConversationKind>,
    /// Only those with something unread, replies included.
    pub unread_only: bool,
    /// Archived ones only, others only, or both.
    pub is_archived: Option<bool>,
    /// The title or the name of one of the others contains this.
    pub text: Option<String>,
}

/// What is read of the conversations in the list, and of the viewer's places in them. All else is blank in the rows.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Of conversations, beside what sorts them.
    pub conversation: Vec<&'static str>,
    /// Of the viewer's places.
    pub participant: Vec<&'static str>,
    /// How many root messages are unread for the viewer.
    pub unread: bool,
}

impl Columns {
    /// All of the conversations, and nothing of the viewer's places.
    #[must_use]
    pub fn all() -> Self {
        Self {
            conversation: conversation::Model::COLUMNS.to_vec(),
            participant: vec![],
            unread: false,
        }
    }
}

/// A conversation of the list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The conversation.
    pub conversation: conversation::Model,
    /// The viewer's place in it.
    pub participant: participant::Model,
    /// How many root messages are unread for the viewer; none where that was not read.
    pub unread: Option<i64>,
}

/// So many of the viewer's conversations, most recently active first, from after this one.
pub async fn list<C: PageSource>(
    db: &C,
    viewer: &Viewer,
    narrowing: &ConversationFilter,
    after: Option<(DateTime<Utc>, ConversationId)>,
    limit: u64,
    columns: &Columns,
) -> Result<Vec<Row>, Error> {
    let mut of_conversation = vec!["id", "last_activity_at"];
    of_conversation.extend(&columns.conversation);
    let mut select = select(viewer, narrowing, after).limit(limit).select_only();
    for &column in &of_conversation {
        select = select.expr(Expr::col((conversation::Entity, column)));
    }
    for &column in &columns.participant {
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
        let from = of_conversation.len();
        let end = from + columns.participant.len();
        Ok(Row {
            conversation: conversation::Model::partly(row, &of_conversation, 0)?,
            participant: participant::Model::partly(row, &columns.participant, from)?,
            unread: if columns.unread {
                Some(row.get(end)?)
            } else {
                None
            },
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
    if let Some(is_archived) = narrowing.is_archived {
        let archived = Expr::col((participant::Entity, participant::Column::ArchivedSeq))
            .if_null(-1)
            .gte(Expr::col((
                conversation::Entity,
                conversation::Column::LastSeq,
            )));
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

/// The title, or the name of somebody else in it, contains this text.
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
