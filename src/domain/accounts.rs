//! Accounts: signing up and signing in.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set, SqlErr};

use crate::{
    app::App,
    config::SignUpPolicy,
    db::Tx,
    domain::{
        sessions::{self, Device, SignedIn},
        users,
    },
    entity::{
        participant::NotificationLevel,
        user::{self, ServerRole, Visibility},
    },
    error::{Code, Error, Problem},
    id::UserId,
};

/// Shortest password.
const PASSWORD_MIN: usize = 10;

/// Details for a new account.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Unique name.
    pub username: String,
    /// Name to show; the username when absent.
    pub display_name: Option<String>,
    /// Address for sign-in.
    pub email: String,
    /// Password.
    pub password: String,
}

/// Creates an account and signs in.
pub async fn register(app: &App, new: Registration, device: &Device) -> Result<SignedIn, Error> {
    if app.config.sign_up_policy != SignUpPolicy::Open {
        return Err(Error::new(
            Code::Disabled,
            "Only people who are invited can register here.",
        ));
    }
    let mut problems = vec![];
    if new.password.chars().count() < PASSWORD_MIN {
        problems.push(Problem::new(
            "password",
            "TOO_SHORT",
            "Use at least 10 characters.",
        ));
    }
    Error::check(problems)?;
    let hash = app.passwords.hash(&new.password).await?;
    let (new, hash) = (&new, &hash);
    app.db
        .write(|tx| async move {
            let user = create_in(&tx, app, new, Some(hash)).await?;
            sessions::start_in(&tx, app, &user, device).await
        })
        .await
}

/// Writes the account's row.
pub async fn create_in(
    tx: &Tx,
    app: &App,
    new: &Registration,
    password_hash: Option<&str>,
) -> Result<user::Model, Error> {
    let now = app.clock.now();
    let user = user::ActiveModel {
        id: Set(UserId::mint()),
        username: Set(new.username.clone()),
        username_key: Set(users::key(&new.username)),
        email: Set(Some(new.email.clone())),
        email_key: Set(Some(users::key(&new.email))),
        display_name: Set(new
            .display_name
            .clone()
            .unwrap_or_else(|| new.username.clone())),
        first_name: Set(None),
        last_name: Set(None),
        phone_number: Set(None),
        bio: Set(None),
        password_hash: Set(password_hash.map(str::to_owned)),
        failed_sign_ins: Set(0),
        sign_in_blocked_until: Set(None),
        role: Set(ServerRole::Member),
        verified_at: Set(None),
        last_active_at: Set(Some(now)),
        locale: Set("en".to_owned()),
        time_zone: Set("UTC".to_owned()),
        notification_level: Set(NotificationLevel::All),
        is_searchable: Set(true),
        profile_visibility: Set(Visibility::Everyone),
        phone_visibility: Set(Visibility::Nobody),
        event_seq: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
    };
    user.insert(tx)
        .await
        .map_err(|error| match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(what)) if what.contains("email") => {
                Error::invalid("email", "TAKEN", "There is an account with this address.")
            }
            Some(SqlErr::UniqueConstraintViolation(_)) => {
                Error::invalid("username", "TAKEN", "This name is taken.")
            }
            _ => error.into(),
        })
}

/// Signs in with a username or an address. Unknown names cost and say what wrong passwords do.
pub async fn sign_in(
    app: &App,
    login: &str,
    password: &str,
    device: &Device,
) -> Result<SignedIn, Error> {
    let key = users::key(login.trim());
    let column = if key.contains('@') {
        user::Column::EmailKey
    } else {
        user::Column::UsernameKey
    };
    let found = user::Entity::find()
        .filter(column.eq(key))
        .one(app.db.read())
        .await?;
    let stored = found
        .as_ref()
        .and_then(|user| user.password_hash.as_deref());
    let is_right = app.passwords.verify(password, stored).await?;
    let Some(user) = found.filter(|_| is_right) else {
        return Err(Error::new(
            Code::WrongCredentials,
            "The name or the password is wrong.",
        ));
    };
    let user = &user;
    app.db
        .write(|tx| async move { sessions::start_in(&tx, app, user, device).await })
        .await
}
