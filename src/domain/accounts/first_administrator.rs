//! The first administrator: registers in the browser with a token that only the operator sees, or is created from the settings.

use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QuerySelect};

use super::register::{self, NewAccount, Registration};
use crate::{
    auth::password::{HashOwner, PasswordTurn},
    config::Mode,
    core::Core,
    db::Tx,
    domain::{
        audit::{self, AuditAction, AuditRecord},
        import::{self, demo},
        sessions::{self, Device, SignedIn},
        users::{self, NewUser},
    },
    entity::{
        installation,
        user::{self, ServerRole},
    },
    error::{Code, Error},
};

/// How long a setup token is valid.
const LIFETIME: Duration = Duration::from_hours(1);

/// Returns a token for [`register_first`], or `None` if there is an administrator.
pub async fn setup_token(core: &Core) -> Result<Option<String>, Error> {
    if is_set_up(core.db.read()).await? {
        return Ok(None);
    }
    Ok(Some(core.keys.setup(core.clock.now() + LIFETIME)))
}

/// Creates the first administrator and signs in. Ignores the sign-up policy. With the demo, users with a public password
/// exist, and the administrator takes part in their conversations.
pub async fn register_first(
    core: &Core,
    token: &str,
    new: Registration,
    with_demo: bool,
    device: &Device,
) -> Result<SignedIn, Error> {
    core.rate_limits.registrations.consume(device.ip_address)?;
    let Some(expires_at) = core.keys.read_setup(token) else {
        return Err(Error::new(
            Code::WrongCredentials,
            "This is not a link of this server. `heddle admin link` prints one.",
        ));
    };
    if expires_at < core.clock.now() {
        return Err(Error::new(
            Code::Expired,
            "This link has expired. `heddle admin link` prints another one.",
        ));
    }
    if with_demo && core.config.mode == Mode::Production {
        return Err(Error::new(
            Code::Disabled,
            "A server in production has no demo, because the password of its users is public.",
        ));
    }
    if is_set_up(core.db.read()).await? {
        return Err(already_set_up());
    }
    let turn = core
        .passwords
        .turn(HashOwner::client(device.ip_address))
        .await?;
    let new = &register::check(core, &turn, new).await?;
    let hash = &turn.hash(&new.password).await?;
    let users = &demo_users(with_demo, &turn).await?;
    core.db
        .write(|tx| async move {
            lock_in(&tx).await?;
            if is_set_up(&*tx).await? {
                return Err(already_set_up());
            }
            // A server that was tried before may have the demo.
            let has_demo = users.is_empty() || exists_in(&tx, users).await?;
            if !has_demo {
                import::users_in(&tx, users).await?;
            }
            let role = ServerRole::Admin;
            let user = register::create_in(&tx, core, &new.account, Some(hash), role).await?;
            if !has_demo {
                let (depth, now) = (core.config.thread_depth, core.clock.now());
                demo::talk_in(&tx, users, Some(user.id), depth, now).await?;
            }
            let record = AuditRecord::own(AuditAction::UserCreated, user.id).change(
                "role",
                None,
                Some("ADMIN"),
            );
            audit::append_in(&tx, core.clock.now(), record).await?;
            sessions::start_in(&tx, core, &user, device).await
        })
        .await
}

/// Creates the administrator of the settings, unless there is one. Returns whether it was created.
pub async fn create_first(core: &Core, email: &str, password: &str) -> Result<bool, Error> {
    if is_set_up(core.db.read()).await? {
        return Ok(false);
    }
    let username = email.split('@').next().unwrap_or_default();
    let new = Registration {
        account: NewAccount {
            username: username.to_owned(),
            display_name: None,
            email: email.to_owned(),
        },
        password: password.to_owned(),
        invitation_token: None,
    };
    let turn = core.passwords.turn([]).await?;
    let new = &register::check(core, &turn, new).await?;
    let hash = &turn.hash(&new.password).await?;
    core.db
        .write(|tx| async move {
            lock_in(&tx).await?;
            // Another node may have been faster.
            if is_set_up(&*tx).await? {
                return Ok(false);
            }
            let role = ServerRole::Admin;
            register::create_for_operator_in(&tx, core, &new.account, hash, role).await?;
            Ok(true)
        })
        .await
}

fn already_set_up() -> Error {
    Error::new(
        Code::Expired,
        "This link was used: the server has an administrator. Sign in.",
    )
}

/// Locks the row of the installation, so that one administrator is the first. SQLite has one writer.
async fn lock_in(tx: &Tx) -> Result<(), Error> {
    installation::Entity::find()
        .lock_exclusive()
        .one(tx)
        .await?;
    Ok(())
}

/// Whether there is an administrator.
async fn is_set_up(db: &impl ConnectionTrait) -> Result<bool, Error> {
    let is_admin = user::Column::Role.eq(ServerRole::Admin);
    Ok(users::find_id(db, is_admin).await?.is_some())
}

/// The users of the demo; none without it.
async fn demo_users(with_demo: bool, turn: &PasswordTurn) -> Result<Vec<NewUser>, Error> {
    if !with_demo {
        return Ok(vec![]);
    }
    Ok(demo::users(&turn.hash(demo::PASSWORD).await?))
}

/// Whether one of these users exists.
async fn exists_in(tx: &Tx, users: &[NewUser]) -> Result<bool, Error> {
    let is_one = user::Column::Id.is_in(users.iter().map(|user| user.id));
    Ok(users::find_id(tx, is_one).await?.is_some())
}
