//! Creates accounts, by registration or by an administrator.

use std::mem;

use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, IntoActiveModel, Set, SqlErr};

use crate::{
    auth::password::{HashOwner, PasswordTurn},
    config::SignUpPolicy,
    core::Core,
    db::Tx,
    domain::{
        accounts::validation,
        audit::{self, AuditAction, AuditRecord},
        sessions::{self, Device, SignedIn},
        users::{self, NewUser},
    },
    entity::user,
    error::{Code, Error, Problem},
    id::UserId,
    jobs::{self, AccountMail, Job},
};

/// The fields of a new account.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The unique username.
    pub username: String,
    /// The name to show; the username if it is missing.
    pub display_name: Option<String>,
    /// The email address, which also signs in.
    pub email: String,
    /// The password.
    pub password: String,
}

/// Creates an account and signs in to it. Where addresses must be verified, mails a link and returns `None`: the address
/// belongs to the account when it is verified, and neither the result nor the work reveals whether another account has it.
pub async fn register(
    core: &Core,
    new: Registration,
    device: &Device,
) -> Result<Option<SignedIn>, Error> {
    if core.config.sign_up_policy != SignUpPolicy::Open {
        return Err(Error::new(
            Code::Disabled,
            "Registration is closed. An administrator can create an account for you.",
        ));
    }
    core.rate_limits.registrations.consume(device.ip_address)?;
    let owner = HashOwner::client(device.ip_address);
    let turn = core.passwords.turn(owner).await?;
    let new = check(core, &turn, new).await?;
    let hash = turn.hash(&new.password).await?;
    let (new, hash) = (&new, &hash);
    core.db
        .write(|tx| async move {
            let is_pending = core.config.require_verified_email;
            let user = if is_pending {
                create_pending_in(&tx, core, new, hash).await?
            } else {
                create_in(&tx, core, new, Some(hash)).await?
            };
            if core.mailer.is_enabled() {
                let (mail, user) = (AccountMail::VerifyEmail, user.id);
                jobs::enqueue_in(&tx, &Job::SendMail { mail, user }, core.clock.now()).await?;
            }
            let record = AuditRecord::own(AuditAction::UserCreated, user.id);
            audit::append_in(&tx, core.clock.now(), record).await?;
            if is_pending {
                return Ok(None);
            }
            Ok(Some(sessions::start_in(&tx, core, &user, device).await?))
        })
        .await
}

/// Validates a registration and returns it in the form in which it is stored. An error lists all problems together,
/// except that another account has the email address: usernames are public, addresses are not. Only the insertion of
/// the account finds that, after the same work, so that no one can look for addresses without creating accounts.
pub async fn check(
    core: &Core,
    turn: &PasswordTurn,
    new: Registration,
) -> Result<Registration, Error> {
    let mut problems = vec![];
    let username = validation::username(&new.username, &mut problems);
    let email = validation::email("email", &new.email, &mut problems);
    let display_name = new
        .display_name
        .map(|name| validation::display_name(&name, &mut problems));
    problems.extend(find_taken(core, &username).await?);
    let name = display_name.as_deref().unwrap_or_default();
    let words = guessable_words(core, &[&username, &email, name]);
    let password = turn.problems("password", &new.password, &words);
    problems.extend(password.await?);
    Error::check(problems)?;
    Ok(Registration {
        username,
        display_name,
        email,
        password: new.password,
    })
}

/// Splits these names and the name of the server into words, which make a password easy to guess.
fn guessable_words<'a>(core: &'a Core, names: &[&'a str]) -> Vec<&'a str> {
    let server = core.config.server_name.as_str();
    let names = names.iter().chain([&server]);
    let parts = names.flat_map(|name| name.split(|char: char| !char.is_alphanumeric()));
    parts.filter(|word| !word.is_empty()).collect()
}

/// The words that make a password of this account easy to guess.
pub(super) fn own_words<'a>(core: &'a Core, user: &'a user::Model) -> Vec<&'a str> {
    let email = user.email.as_deref().unwrap_or_default();
    guessable_words(core, &[&user.username, email, &user.display_name])
}

/// Returns a problem if another account has the username.
pub(super) async fn find_taken(core: &Core, username: &str) -> Result<Option<Problem>, Error> {
    let has_name = user::Column::UsernameKey.eq(users::key(username));
    let found = users::find_id(core.db.read(), has_name).await?;
    Ok(found.map(|_| username_taken()))
}

fn username_taken() -> Problem {
    let message = "This username is taken. Choose another one.";
    Problem::new("username", "TAKEN", message)
}

fn email_taken() -> Problem {
    let message = "An account with this email address exists. Sign in, or use another address.";
    Problem::new("email", "TAKEN", message)
}

/// Inserts the row of an account.
pub async fn create_in(
    tx: &Tx,
    core: &Core,
    new: &Registration,
    password_hash: Option<&str>,
) -> Result<user::Model, Error> {
    let row = row(core, new, password_hash);
    row.insert(tx).await.map_err(taken_error)
}

/// Inserts the row of an account whose address waits for verification.
async fn create_pending_in(
    tx: &Tx,
    core: &Core,
    new: &Registration,
    password_hash: &str,
) -> Result<user::Model, Error> {
    let mut row = row(core, new, Some(password_hash));
    let none = Set(None);
    row.pending_email = mem::replace(&mut row.email, none.clone());
    row.pending_email_key = mem::replace(&mut row.email_key, none);
    row.insert(tx).await.map_err(taken_error)
}

fn row(core: &Core, new: &Registration, password_hash: Option<&str>) -> user::ActiveModel {
    let now = core.clock.now();
    let user = NewUser {
        id: UserId::mint(),
        username: new.username.clone(),
        display_name: new.display_name.as_ref().unwrap_or(&new.username).clone(),
        email: Some(new.email.clone()),
        password_hash: password_hash.map(str::to_owned),
        at: now,
    };
    let mut row = user.row().into_active_model();
    row.last_active_at = Set(Some(now));
    row
}

/// Converts a violated unique constraint into a problem: another account has the address, or another request took the
/// name after [`find_taken`].
pub(super) fn taken_error(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(what)) if what.contains("email") => {
            Error::problems(vec![email_taken()])
        }
        Some(SqlErr::UniqueConstraintViolation(_)) => Error::problems(vec![username_taken()]),
        _ => error.into(),
    }
}
