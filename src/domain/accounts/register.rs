//! Creates accounts, by registration or by an administrator.

use std::mem;

use sea_orm::{ActiveEnum, ActiveModelTrait, ColumnTrait, DbErr, IntoActiveModel, Set, SqlErr};

use crate::{
    auth::password::{HashOwner, PasswordTurn},
    config::SignUpPolicy,
    core::Core,
    db::Tx,
    domain::{
        accounts::{invitations, validation},
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::{self, Device, SignedIn},
        users::{self, NewUser},
    },
    entity::{
        invitation,
        user::{self, ServerRole},
    },
    error::{Code, Error, Problem},
    id::UserId,
    jobs::{self, AccountMail},
};

/// The public names and the address of a new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The unique username.
    pub username: String,
    /// The name to show; the username if it is missing.
    pub display_name: Option<String>,
    /// The email address, which also signs in.
    pub email: String,
}

/// A new account with its password.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The names and the address.
    pub account: NewAccount,
    /// The password.
    pub password: String,
    /// The token of an invitation.
    pub invitation_token: Option<String>,
}

/// Creates an account and signs in to it. Where addresses must be verified, mails a link and returns `None`: the address
/// belongs to the account when it is verified, and neither the result nor the work reveals whether another account has it.
pub async fn register(
    core: &Core,
    new: Registration,
    device: &Device,
) -> Result<Option<SignedIn>, Error> {
    check_policy(core, &new)?;
    core.rate_limits.registrations.consume(device.ip_address)?;
    let invitation = match new.invitation_token.as_deref() {
        Some(token) => Some(invitations::find(core, token).await?),
        None => None,
    };
    let owner = HashOwner::client(device.ip_address);
    let turn = core.passwords.turn(owner).await?;
    let new = check(core, &turn, new).await?;
    let problem = match invitation
        .as_ref()
        .filter(|invited| invited.email.is_some())
    {
        Some(invitation) => invitations::email_problem(invitation, &new.account.email),
        None => validation::email_domain(&core.config, "email", &new.account.email),
    };
    Error::check(problem.into_iter().collect())?;
    let hash = turn.hash(&new.password).await?;
    let (new, hash, invitation) = (&new, &hash, invitation.as_ref());
    core.db
        .write(|tx| async move { register_in(&tx, core, new, hash, invitation, device).await })
        .await
}

fn check_policy(core: &Core, new: &Registration) -> Result<(), Error> {
    let message = match core.config.sign_up_policy {
        SignUpPolicy::Open => return Ok(()),
        SignUpPolicy::InviteOnly if new.invitation_token.is_some() => return Ok(()),
        SignUpPolicy::InviteOnly => {
            "Registration needs an invitation. An administrator can invite you."
        }
        SignUpPolicy::Closed => {
            "Registration is closed. An administrator can create an account for you."
        }
    };
    Err(Error::new(Code::Disabled, message))
}

async fn register_in(
    tx: &Tx,
    core: &Core,
    new: &Registration,
    hash: &str,
    invitation: Option<&invitation::Model>,
    device: &Device,
) -> Result<Option<SignedIn>, Error> {
    let now = core.clock.now();
    // Who invites an address vouches for it.
    let is_invited = invitation.is_some_and(|invitation| invitation.email.is_some());
    let is_pending = core.config.require_verified_email && !is_invited;
    let mut row = row(core, &new.account, Some(hash));
    if is_pending {
        let none = Set(None);
        row.pending_email = mem::replace(&mut row.email, none.clone());
        row.pending_email_key = mem::replace(&mut row.email_key, none);
    }
    if is_invited {
        row.verified_at = Set(Some(now));
    }
    if let Some(invitation) = invitation {
        row.role = Set(invitation.role);
    }
    let user = row.insert(tx).await.map_err(taken_error)?;
    if let Some(invitation) = invitation {
        invitations::accept_in(tx, invitation, user.id, now).await?;
    }
    if !is_invited {
        jobs::enqueue_mail_in(tx, &core.mailer, AccountMail::VerifyEmail, user.id, now).await?;
    }
    let mut record = AuditRecord::own(AuditAction::UserCreated, user.id);
    if let Some(invitation) = invitation {
        let (id, role) = (invitation.id.to_string(), invitation.role.to_value());
        record = record.change("invitationId", None, Some(&id));
        record = record.change("role", None, Some(&role));
    }
    audit::append_in(tx, now, record).await?;
    if is_pending {
        return Ok(None);
    }
    sessions::start_in(tx, core, &user, device).await.map(Some)
}

/// Validates names and an address, and returns them in the form in which they are stored.
pub async fn check_account(
    core: &Core,
    new: NewAccount,
    problems: &mut Vec<Problem>,
) -> Result<NewAccount, Error> {
    let username = validation::username(&new.username, problems);
    let email = validation::email("email", &new.email, problems);
    let display_name = new
        .display_name
        .map(|name| validation::display_name(&name, problems));
    problems.extend(find_taken(core, &username).await?);
    Ok(NewAccount {
        username,
        display_name,
        email,
    })
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
    let account = check_account(core, new.account, &mut problems).await?;
    let name = account.display_name.as_deref().unwrap_or_default();
    let words = guessable_words(core, &[&account.username, &account.email, name]);
    let password = turn.problems("password", &new.password, &words);
    problems.extend(password.await?);
    Error::check(problems)?;
    Ok(Registration { account, ..new })
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

/// Inserts the row of an account with a role. Its creator vouches for the address.
pub async fn create_in(
    tx: &Tx,
    core: &Core,
    new: &NewAccount,
    password_hash: Option<&str>,
    role: ServerRole,
) -> Result<user::Model, Error> {
    let mut row = row(core, new, password_hash);
    row.role = Set(role);
    row.verified_at = Set(Some(core.clock.now()));
    row.insert(tx).await.map_err(taken_error)
}

/// Creates an account for an operator, who is not a user.
pub(in crate::domain) async fn create_for_operator_in(
    tx: &Tx,
    core: &Core,
    new: &NewAccount,
    password_hash: &str,
    role: ServerRole,
) -> Result<user::Model, Error> {
    let user = create_in(tx, core, new, Some(password_hash), role).await?;
    let record = AuditRecord::new(AuditAction::UserCreated, None)
        .on(AuditTarget::User(user.id))
        .change("role", None, Some(&role.to_value()));
    audit::append_in(tx, core.clock.now(), record).await?;
    Ok(user)
}

fn row(core: &Core, new: &NewAccount, password_hash: Option<&str>) -> user::ActiveModel {
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
