//! `heddle admin`: accounts, from the machine that runs the server. Works before the first start.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

use clap::{Subcommand, ValueEnum};
use tokio::time::timeout;

use super::{data_dir, error::CliError, migrate, output};
use crate::{
    app::App,
    config::Config,
    domain::{accounts::Registration, admin},
    entity::user::ServerRole,
};

/// More than any password has.
const MAX_PASSWORD_BYTES: u64 = 4096;
/// How long background work of the rooms may take to notice the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Create an account, by default an administrator's
    Create {
        /// Address for signing in
        #[arg(long)]
        email: String,
        /// Unique name; by default what stands before the @
        #[arg(long)]
        username: Option<String>,
        /// Name to show; by default the username
        #[arg(long)]
        name: Option<String>,
        /// What the account may do
        #[arg(long, value_enum, default_value_t = Role::Admin)]
        role: Role,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List administrators and moderators
    List {
        /// Everybody
        #[arg(long)]
        all: bool,
    },
    /// Set a new password and end every session of the account
    ResetPassword {
        /// Whose
        username: String,
        #[command(flatten)]
        password: PasswordSource,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Member,
    Moderator,
    Admin,
}

/// Never an argument: those are seen by everybody on the machine.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct PasswordSource {
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// The first line's words; the line's end is not part of the password.
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

pub(super) async fn run(config: Config, args: Args) -> Result<(), CliError> {
    let password = match &args.what {
        What::Create { password, .. } | What::ResetPassword { password, .. } => password.read()?,
        What::List { .. } => String::new(),
    };
    let secret = data_dir::secret(&config)?;
    let app = App::open(config, &secret).await?;
    migrate::up(&app.db, &app.config).await?;
    let outcome = act(&app, args.what, password).await;
    app.shutdown.cancel();
    app.tasks.close();
    // Nothing of what was done depends on it.
    let _ = timeout(PATIENCE, app.tasks.wait()).await;
    app.db.clone().close().await?;
    outcome
}

async fn act(app: &App, what: What, password: String) -> Result<(), CliError> {
    match what {
        What::Create {
            email,
            username,
            name,
            role,
            ..
        } => {
            let before_at = || email.split('@').next().unwrap_or_default().to_owned();
            let username = username.unwrap_or_else(before_at);
            let new = Registration {
                username,
                display_name: name,
                email,
                password,
            };
            let role = match role {
                Role::Member => ServerRole::Member,
                Role::Moderator => ServerRole::Moderator,
                Role::Admin => ServerRole::Admin,
            };
            let user = admin::create(app, new, role).await?;
            output::line(format!("{} can sign in ({})", user.username, user.id));
        }
        What::List { all } => {
            let least = if all {
                ServerRole::Member
            } else {
                ServerRole::Moderator
            };
            for user in admin::list(&app.db, least).await? {
                let role = format!("{:?}", user.role).to_uppercase();
                let email = user.email.unwrap_or_default();
                output::line(format!("{role:9}  {:32}  {email}", user.username));
            }
        }
        What::ResetPassword { username, .. } => {
            let ended = admin::reset_password(app, &username, &password).await?;
            output::line(format!(
                "{username} has a new password; {ended} sessions were ended"
            ));
        }
    }
    Ok(())
}
