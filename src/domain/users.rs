//! Users as other users see them: names, search and contacts.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    Select,
    sea_query::{Expr, ExprTrait, LikeExpr},
};

use crate::{
    core::Core,
    db::Db,
    domain::{sessions::Viewer, text},
    entity::{
        participant,
        user::{self, Visibility},
    },
    error::Error,
    id::UserId,
};

/// An account to insert.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The unique username.
    pub username: String,
    /// The name to show.
    pub display_name: String,
    /// The unique email address, if any.
    pub email: Option<String>,
    /// The hash of the password. Without one, the user cannot sign in.
    pub password_hash: Option<String>,
    /// When the account was created.
    pub at: DateTime<Utc>,
}

impl NewUser {
    /// Returns the row, with the default settings.
    #[must_use]
    pub fn row(&self) -> user::Model {
        user::Model {
            id: self.id,
            username: self.username.clone(),
            username_key: key(&self.username),
            email: self.email.clone(),
            email_key: self.email.as_deref().map(text::email_key),
            display_name: self.display_name.clone(),
            display_name_key: key(&self.display_name),
            password_hash: self.password_hash.clone(),
            locale: "en".to_owned(),
            time_zone: "UTC".to_owned(),
            is_searchable: true,
            shares_read_receipts: true,
            profile_visibility: Visibility::Everyone,
            created_at: self.at,
            updated_at: self.at,
            ..Default::default()
        }
    }
}

/// Returns the form in which names and titles are compared, searched and sorted.
#[must_use]
pub fn key(text: &str) -> String {
    text::caseless(text)
}

/// Returns the form in which a login is compared: a username or an email address.
#[must_use]
pub fn login_key(login: &str) -> String {
    let login = login.trim();
    if login.contains('@') {
        text::email_key(login)
    } else {
        key(login)
    }
}

/// Finds the account with this username, for the command line.
pub async fn by_username(db: &Db, name: &str) -> Result<Option<user::Model>, Error> {
    let found = user::Entity::find().filter(user::Column::UsernameKey.eq(key(name)));
    Ok(found.one(db.read()).await?)
}

/// Returns the id of a user that fulfils this condition.
pub async fn find_id(db: &impl ConnectionTrait, condition: Expr) -> Result<Option<UserId>, Error> {
    let found = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(condition)
        .into_tuple();
    Ok(found.one(db).await?)
}

/// Selects the users that the viewer may see: all users of the server.
#[must_use]
pub fn visible(_: &Viewer) -> Select<user::Entity> {
    user::Entity::find()
}

/// Selects the users that the viewer may search: those who have not hidden from search.
#[must_use]
pub fn searchable(viewer: &Viewer) -> Select<user::Entity> {
    visible(viewer).filter(user::Column::IsSearchable.eq(true))
}

/// Returns the condition that the display name or the username contains this text.
#[must_use]
pub fn name_matches(text: &str) -> Condition {
    let contains = |column: user::Column| column.into_expr().like(like_pattern(text));
    Condition::any()
        .add(contains(user::Column::DisplayNameKey))
        .add(contains(user::Column::UsernameKey))
}

/// Returns the LIKE pattern of a [`key`] that contains this text. Wildcards in the text are escaped.
#[must_use]
pub fn like_pattern(text: &str) -> LikeExpr {
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    let text: String = key(text.trim())
        .chars()
        .flat_map(|char| match char {
            '%' | '_' | '\\' => vec!['\\', char],
            _ => vec![char],
        })
        .collect();
    LikeExpr::new(format!("%{text}%")).escape('\\')
}

/// Selects the participants of the viewer's conversations: a user occurs once for each shared conversation.
#[must_use]
pub fn contacts(viewer: &Viewer) -> Select<participant::Entity> {
    let own = participant::Entity::find()
        .select_only()
        .column(participant::Column::ConversationId)
        .filter(participant::Column::UserId.eq(viewer.user))
        .into_query();
    participant::Entity::find().filter(participant::Column::ConversationId.in_subquery(own))
}

/// Loads the viewer's own account.
pub async fn own(core: &Core, viewer: &Viewer) -> Result<user::Model, Error> {
    let found = user::Entity::find_by_id(viewer.user)
        .one(core.db.read())
        .await?;
    found.ok_or_else(Error::unauthenticated)
}
