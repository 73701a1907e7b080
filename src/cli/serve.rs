//! `heddle serve`: starts the server and its background workers, and shuts them down.

use std::{net::SocketAddr, time::Duration};

use sea_orm::DbBackend;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use super::{
    args::version,
    data_dir,
    error::{CliError, Exit},
    links, migrate, output,
};
use crate::{
    app::App,
    config::{Config, Mode},
    db::{self, Db, ServingLock},
    domain::accounts,
    http,
    live::{installation, log_mark::LogMark},
    worker,
};

/// How long requests and background work may take to finish after a stop signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// Serves until a stop signal arrives.
pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let _lock = data_dir::lock(&config)?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        CliError::because(format!(
            "cannot listen on {}: {error}; choose another with --listen",
            config.listen
        ))
    })?;
    let address = listener.local_addr()?;
    let secret = data_dir::secret(&config)?;
    let db = Db::connect(&config.database_url).await?;
    let serving = match db.backend() {
        DbBackend::Postgres => Some(ServingLock::acquire(&config.database_url).await?),
        _ => None,
    };
    migrate::up(&db, &config).await?;
    let app = App::open(db, config, &secret).await?;
    if let Some(lock) = serving {
        app.tasks.spawn(lock.keep(app.shutdown.clone()));
    }
    let mark = LogMark::open(&app.db, &app.clock, &app.config.data_dir).await?;
    app.hub.keep_mark(mark);
    check_cluster(&app).await?;
    // Install the handlers before the banner: a client that reads it may stop the server immediately.
    stop_on_signal(&app)?;
    worker::start(&app);
    tracing::info!(
        version = version(),
        mode = ?app.config.mode,
        %address,
        database = db::place(&app.config.database_url),
        "started"
    );
    create_administrator(&app).await?;
    let token = accounts::setup_token(&app).await?;
    output::text(&banner(&app.config, address, token.as_deref()));
    let shutdown = app.shutdown.clone();
    let serving = http::serve(app.clone(), listener, shutdown.clone());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        result = serving => result?,
        () = drained => tracing::warn!("connections are still open and are closed"),
    }
    shutdown.cancel();
    app.tasks.close();
    if timeout(DRAIN_TIMEOUT, app.tasks.wait()).await.is_err() {
        tracing::warn!("background tasks are still running and are cancelled");
    }
    app.db.clone().close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Logs what the operator of several nodes should know, and records the key of this node.
async fn check_cluster(app: &App) -> Result<(), CliError> {
    if app.db.backend() == DbBackend::Postgres && app.config.redis_url.is_none() {
        tracing::info!(
            "other nodes of this database receive events within a second; set redis_url to deliver them immediately"
        );
    }
    if installation::has_other_keys(&app.db, app.keys.id()).await? {
        tracing::warn!(
            "the tokens of this database were signed with another key, so all users have to sign in again; if several \
             nodes use this database, set the same secret_key on all of them"
        );
    }
    installation::keep_keys(&app.db, app.keys.id()).await?;
    Ok(())
}

/// Creates the administrator of the settings, if the server has none.
async fn create_administrator(app: &App) -> Result<(), CliError> {
    let (Some(email), Some(password)) = (&app.config.admin_email, &app.config.admin_password)
    else {
        return Ok(());
    };
    match accounts::create_first(app, email, password).await {
        Ok(true) => tracing::info!("the administrator of the settings was created"),
        Ok(false) => {}
        Err(error) => {
            let reason = format!("admin_email, admin_password: {}", CliError::from(error));
            return Err(CliError::new(Exit::Configuration, reason));
        }
    }
    Ok(())
}

/// The first SIGTERM or SIGINT starts a graceful shutdown. The second ends the process.
fn stop_on_signal(app: &App) -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = app.shutdown.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "it outlives the drain, to receive the second signal"
    )]
    tokio::spawn(async move {
        for is_first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if is_first {
                tracing::info!(
                    "shutting down: new connections are rejected, open requests are completed"
                );
                shutdown.cancel();
            }
        }
        std::process::exit(1);
    });
    Ok(())
}

fn banner(config: &Config, address: SocketAddr, setup_token: Option<&str>) -> String {
    let origin = config.origin(address);
    let folder = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let (mode, graphiql) = match config.mode {
        Mode::Development => ("development", format!("\n  GraphiQL   {origin}/graphiql")),
        Mode::Production => ("production", String::new()),
    };
    // Everyone may register, and may look at the schema.
    let exposure = if config.mode == Mode::Development && !address.ip().is_loopback() {
        "\n  Exposed    every device that reaches this address can register and explore the API; \
         use production mode for others"
    } else {
        ""
    };
    let set_up = setup_token.map_or_else(String::new, |token| {
        let link = links::setup(config, address, token);
        format!("  Set up     {link}\n             creates the first administrator: once, within an hour\n")
    });
    format!(
        "\n  {name} (heddle {version}, {mode} mode)\n\n\
{set_up}\
         \x20 App        {origin}/{graphiql}\n\
         \x20 API        {origin}/graphql{exposure}\n\
         \x20 Data       {folder}\n\n",
        name = config.server_name,
        version = version(),
        folder = folder.display(),
    )
}
