//! The arguments of `heddle seed`, and the two kinds of data: the demo and the benchmark.

use std::time::Instant;

use clap::builder::RangedU64ValueParser;

use super::generate::{self, Scale};
use crate::{
    auth::password::Passwords,
    cli::{
        error::{CliError, Exit},
        migrate, output,
    },
    clock::Clock,
    config::{Config, Mode},
    db::Db,
    domain::{
        import::{
            self,
            demo::{self, PASSWORD},
        },
        users,
    },
    error::Error,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Generate three users, two conversations and a thread of eight levels
    #[arg(long, conflicts_with_all = ["users", "conversations", "messages"])]
    demo: bool,
    /// Number of users
    #[arg(long, value_name = "N", required_unless_present = "demo", value_parser = count())]
    users: Option<usize>,
    /// Number of conversations: a few large ones and many small ones
    #[arg(long, value_name = "N", required_unless_present = "demo", value_parser = count())]
    conversations: Option<usize>,
    /// Total number of messages; half of them are replies, up to eight levels deep
    #[arg(long, value_name = "N", required_unless_present = "demo", value_parser = count())]
    messages: Option<usize>,
    /// A different seed generates different users and conversations
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
}

/// The upper limit exceeds every benchmark and is far below the range of the columns.
fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=100_000_000)
}

pub(in crate::cli) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    // The password of the generated users is public.
    if config.mode == Mode::Production {
        let reason = "seed is not available in production, because the password of generated users is public";
        return Err(CliError::new(Exit::Configuration, reason));
    }
    let db = migrate::ready(config).await?;
    let outcome = match (args.users, args.conversations, args.messages) {
        (Some(users), Some(conversations), Some(messages)) => {
            let scale = Scale {
                users,
                conversations,
                messages,
                seed: args.seed,
            };
            benchmark(config, &db, scale).await
        }
        _ => show_demo(config, &db).await,
    };
    db.close().await?;
    outcome
}

async fn show_demo(config: &Config, db: &Db) -> Result<(), CliError> {
    let generated = demo::users(&hash_password().await?);
    let mut missing = Vec::new();
    for user in &generated {
        match users::by_username(db, &user.username).await? {
            Some(found) if found.id == user.id => {}
            Some(_) => {
                let reason = format!(
                    "the username {} belongs to another account; choose another database",
                    user.username
                );
                return Err(CliError::because(reason));
            }
            None => missing.push(user.clone()),
        }
    }
    if missing.len() == generated.len() {
        let (users, depth, now) = (&generated, config.thread_depth, Clock::default().now());
        db.write(|tx| async move {
            import::users_in(&tx, users).await?;
            demo::talk_in(&tx, users, None, depth, now).await
        })
        .await?;
    } else {
        output::line("The users of the demo exist already.");
    }
    output::line("Sign in with:");
    for user in &generated {
        output::line(format!("  {:8} password {PASSWORD}", user.username));
    }
    Ok(())
}

async fn benchmark(config: &Config, db: &Db, scale: Scale) -> Result<(), CliError> {
    let hash = hash_password().await?;
    let generated = generate::users(scale, &hash);
    if let Some(first) = generated.first()
        && users::by_username(db, &first.username).await?.is_some()
    {
        let seed = scale.seed;
        let reason = format!("the users of --seed {seed} exist already; choose another seed");
        return Err(CliError::because(reason));
    }
    let rows = &generated;
    db.write(|tx| async move { import::users_in(&tx, rows).await })
        .await?;
    let start = Instant::now();
    generate::write(config, db, scale, &generated).await?;
    let seconds = start.elapsed().as_secs_f64();
    let count = u32::try_from(scale.messages).map_or(f64::from(u32::MAX), f64::from);
    output::line(format!(
        "{} users, {} conversations, {} messages in {seconds:.1} s: {:.0} messages per second",
        scale.users,
        scale.conversations,
        scale.messages,
        count / seconds,
    ));
    if let (Some(first), Some(last)) = (generated.first(), generated.last()) {
        let (first, last) = (&first.username, &last.username);
        output::line(format!("Sign in as {first} … {last}, password {PASSWORD}"));
    }
    Ok(())
}

/// The hash of the password of all generated users.
async fn hash_password() -> Result<String, Error> {
    let turn = Passwords::default().turn([]).await?;
    turn.hash(PASSWORD).await
}
