//! `heddle seed`: people and conversations to try things on, and any amount of them to measure with. The
//! same numbers give the same rows each time.

use std::time::Instant;

use clap::builder::RangedU64ValueParser;

use super::{
    error::{CliError, Exit},
    migrate, output,
};
use crate::{
    auth::password::Passwords,
    config::{Config, Mode},
    db::Db,
    domain::{import, users},
};

mod demo;
mod generate;
mod lorem;

use generate::Scale;

/// Everybody who is made up has this password. Production refuses to make anybody up.
const PASSWORD: &str = "over-under-over-under";

/// What to make up.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Three people, two conversations, a thread eight levels deep
    #[arg(long, conflicts_with_all = ["users", "conversations", "messages"])]
    demo: bool,
    /// How many people
    #[arg(long, value_name = "N", required_unless_present = "demo", value_parser = many())]
    users: Option<usize>,
    /// How many conversations; few are large, many are small
    #[arg(long, value_name = "N", required_unless_present = "demo", value_parser = many())]
    conversations: Option<usize>,
    /// How many messages in all; half of them are replies, up to eight levels deep
    #[arg(long, value_name = "N", required_unless_present = "demo", value_parser = many())]
    messages: Option<usize>,
    /// Another number makes up other people and conversations
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
}

/// Enough for any measurement, and far from where the tables' numbers end.
fn many() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=100_000_000)
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    if config.mode == Mode::Production {
        let reason = "made-up people have a password that everybody knows: not in production";
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
            measure(config, &db, scale).await
        }
        _ => show(config, &db).await,
    };
    db.close().await?;
    outcome
}

async fn show(config: &Config, db: &Db) -> Result<(), CliError> {
    let people = demo::people(&Passwords::default().hash(PASSWORD).await?);
    let mut missing = Vec::new();
    for person in &people {
        match users::by_username(db, &person.username).await? {
            Some(found) if found.id == person.id => {}
            Some(_) => {
                let reason = format!("somebody else is called {}", person.username);
                return Err(CliError::because(reason));
            }
            None => missing.push(person.clone()),
        }
    }
    if missing.len() == people.len() {
        demo::write(config, db, &people).await?;
    } else {
        output::line("The people of the demo are here already.");
    }
    output::line("Sign in with:");
    for person in &people {
        output::line(format!("  {:8} password {PASSWORD}", person.username));
    }
    Ok(())
}

async fn measure(config: &Config, db: &Db, scale: Scale) -> Result<(), CliError> {
    let hash = Passwords::default().hash(PASSWORD).await?;
    let people = generate::people(scale, &hash);
    if let Some(first) = people.first()
        && users::by_username(db, &first.username).await?.is_some()
    {
        let seed = scale.seed;
        let reason = format!("the people of --seed {seed} are here already; choose another number");
        return Err(CliError::because(reason));
    }
    let some = &people;
    db.write(|tx| async move { import::users_in(&tx, some).await })
        .await?;
    let start = Instant::now();
    generate::write(config, db, scale, &people).await?;
    let seconds = start.elapsed().as_secs_f64();
    let count = u32::try_from(scale.messages).map_or(f64::from(u32::MAX), f64::from);
    output::line(format!(
        "{} people, {} conversations, {} messages in {seconds:.1} s: {:.0} messages a second",
        scale.users,
        scale.conversations,
        scale.messages,
        count / seconds,
    ));
    if let (Some(first), Some(last)) = (people.first(), people.last()) {
        let (first, last) = (&first.username, &last.username);
        output::line(format!("Sign in as {first} … {last}, password {PASSWORD}"));
    }
    Ok(())
}
