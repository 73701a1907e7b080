//! `heddle admin`: creates and lists accounts, resets passwords, lists and repeats failed jobs, and begins a new epoch of
//! the event log. Works before the first start of the server, and while it runs.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

use chrono::TimeDelta;
use clap::{Subcommand, ValueEnum};
use tokio::time::timeout;

use super::{data_dir, error::CliError, links, migrate, output};
use crate::{
    app::App,
    config::Config,
    db::Db,
    domain::{
        accounts::{self, NewAccount, NewInvitation, Registration},
        admin,
    },
    entity::user::ServerRole,
    id::{InvitationId, JobId},
    jobs::queue,
    live::epoch::{self, LogEpoch},
};

/// Exceeds the length of every valid password.
const MAX_PASSWORD_BYTES: u64 = 4096;
/// How long background tasks may take to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Create an account, by default for an administrator
    Create {
        /// Email address for signing in
        #[arg(long)]
        email: String,
        /// Unique name; by default the part of the email address before the @
        #[arg(long)]
        username: Option<String>,
        /// Display name; by default the username
        #[arg(long)]
        name: Option<String>,
        /// Role of the account
        #[arg(long, value_enum, default_value_t = Role::Admin)]
        role: Role,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Print the link with which the first administrator registers in a browser, once and within an hour
    Link,
    /// Print a link with which a person registers, once
    Invite {
        /// Email address of the person, which then counts as verified; by default anyone may use the link
        #[arg(long)]
        email: Option<String>,
        /// Role of the account
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
        /// Hours until the link expires
        #[arg(long, default_value_t = 168, value_parser = clap::value_parser!(i64).range(1..=720))]
        hours: i64,
    },
    /// List the invitations, newest first
    Invitations,
    /// Revoke an invitation that is not used yet
    RevokeInvitation {
        /// Id of the invitation, as `heddle admin invitations` lists it
        id: String,
    },
    /// List administrators, auditors and moderators
    List {
        /// List all accounts
        #[arg(long)]
        all: bool,
    },
    /// Set a new password and end every session of the account
    ResetPassword {
        /// Username of the account
        username: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Remove the second factor of an account whose owner has lost it, and end every session
    ResetSecondFactor {
        /// Username of the account
        username: String,
    },
    /// Make every client load its state again, after a database was restored in a way that the server cannot find
    NewEpoch,
    /// List the background jobs that failed at their last attempt
    Jobs,
    /// Repeat failed background jobs
    RetryJobs {
        /// Ids of the jobs, as `heddle admin jobs` lists them
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// Repeat all failed jobs
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Role {
    Member,
    Moderator,
    Auditor,
    Admin,
}

impl From<Role> for ServerRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Moderator => Self::Moderator,
            Role::Auditor => Self::Auditor,
            Role::Admin => Self::Admin,
        }
    }
}

/// A password is never an argument, because every user of the machine can see the arguments of a process.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct PasswordSource {
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Reads the password, without the line end.
    fn read(&self) -> Result<String, CliError> {
        let mut text = String::new();
        let read = match &self.password_file {
            Some(path) => fs::File::open(path)
                .and_then(|file| file.take(MAX_PASSWORD_BYTES).read_to_string(&mut text))
                .map_err(|error| CliError::because(format!("{}: {error}", path.display()))),
            None => io::stdin()
                .take(MAX_PASSWORD_BYTES)
                .read_to_string(&mut text)
                .map_err(Into::into),
        };
        read?;
        let password = text.strip_suffix('\n').unwrap_or(&text);
        Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
    }
}

pub(super) async fn run(config: Config, command: AdminCommand) -> Result<(), CliError> {
    let password = match &command {
        AdminCommand::Create { password, .. } | AdminCommand::ResetPassword { password, .. } => {
            password.read()?
        }
        _ => String::new(),
    };
    let secret = data_dir::secret(&config)?;
    let db = Db::connect(&config.database_url).await?;
    migrate::up(&db, &config).await?;
    let app = App::open(db, config, &secret).await?;
    let outcome = execute(&app, command, password).await;
    app.shutdown.cancel();
    app.tasks.close();
    // The outcome does not depend on it.
    let _ = timeout(SHUTDOWN_TIMEOUT, app.tasks.wait()).await;
    app.db.clone().close().await?;
    outcome
}

async fn execute(app: &App, command: AdminCommand, password: String) -> Result<(), CliError> {
    match command {
        AdminCommand::Create {
            email,
            username,
            name,
            role,
            ..
        } => {
            let before_at = || email.split('@').next().unwrap_or_default().to_owned();
            let username = username.unwrap_or_else(before_at);
            let new = Registration {
                account: NewAccount {
                    username,
                    display_name: name,
                    email,
                },
                password,
                invitation_token: None,
            };
            let user = admin::create(app, new, role.into()).await?;
            output::line(format!("{} can sign in ({})", user.username, user.id));
        }
        AdminCommand::Link => {
            let Some(token) = accounts::setup_token(app).await? else {
                let reason = "there is an administrator already: `heddle admin list` shows the name, and \
                              `heddle admin reset-password` sets another password";
                return Err(CliError::because(reason));
            };
            output::line(links::setup(&app.config, app.config.listen, &token));
        }
        AdminCommand::Invite { email, role, hours } => {
            let new = NewInvitation {
                email,
                role: role.into(),
                lifetime: TimeDelta::hours(hours),
                created_by: None,
                is_mailed: false,
            };
            let (_, token) = accounts::create_invitation(app, &new).await?;
            output::line(links::invitation(&app.config, &token));
        }
        AdminCommand::Invitations => list_invitations(app).await?,
        AdminCommand::RevokeInvitation { id } => {
            accounts::revoke_invitation(app, None, InvitationId::from_text(&id)).await?;
            output::line("the invitation can no longer be used");
        }
        AdminCommand::List { all } => list(app, all).await?,
        AdminCommand::NewEpoch => {
            epoch::begin_after(&app.db, LogEpoch::default()).await?;
            output::line(
                "a new epoch has begun: clients load their state again when they reconnect",
            );
        }
        AdminCommand::Jobs => {
            let failed = queue::failed().all(app.db.read()).await?;
            if failed.is_empty() {
                output::line("no job has failed");
            }
            for job in failed {
                let error = job.last_error.unwrap_or_default().replace('\n', " ");
                let at = job.run_at.format("%Y-%m-%d %H:%M");
                output::line(format!("{}  {at}  {:17}  {error}", job.id, job.kind));
            }
        }
        AdminCommand::RetryJobs { ids, all } => {
            let ids: Vec<_> = ids.iter().map(|id| JobId::from_text(id)).collect();
            let only = (!all).then_some(ids.as_slice());
            let queued = queue::retry(&app.db, only, app.clock.now()).await?;
            if queued.len() < ids.len() {
                let reason = format!(
                    "{} of {} jobs were queued; the others have not failed",
                    queued.len(),
                    ids.len()
                );
                return Err(CliError::because(reason));
            }
            output::line(format!("{} jobs were queued", queued.len()));
        }
        AdminCommand::ResetPassword { username, .. } => {
            let ended = admin::reset_password(app, &username, &password).await?;
            output::line(format!(
                "{username} has a new password; {ended} sessions were ended"
            ));
        }
        AdminCommand::ResetSecondFactor { username } => {
            admin::reset_second_factor(app, &username).await?;
            output::line(format!(
                "{username} has no second factor any more; every session was ended"
            ));
        }
    }
    Ok(())
}

async fn list(app: &App, all: bool) -> Result<(), CliError> {
    let min_role = if all {
        ServerRole::Member
    } else {
        ServerRole::Moderator
    };
    let listed = admin::list(&app.db, min_role).await?;
    if !listed.iter().any(|user| user.role == ServerRole::Admin) {
        output::line(
            "there are no administrators yet; heddle admin create --email ADDRESS --password-stdin creates one",
        );
    }
    for user in listed {
        let role = format!("{:?}", user.role).to_uppercase();
        let email = user.email.unwrap_or_default();
        output::line(format!("{role:9}  {:32}  {email}", user.username));
    }
    Ok(())
}

async fn list_invitations(app: &App) -> Result<(), CliError> {
    for invitation in accounts::invitations(&app.db).await? {
        let status = format!("{:?}", invitation.status(app.clock.now())).to_uppercase();
        let expires_at = invitation.expires_at.format("%Y-%m-%d %H:%M");
        let role = format!("{:?}", invitation.role).to_uppercase();
        let email = invitation.email.unwrap_or_default();
        let id = invitation.id;
        output::line(format!("{id}  {status:8}  {expires_at}  {role:9}  {email}"));
    }
    Ok(())
}
