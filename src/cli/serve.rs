//! `heddle serve`: everything, from one command.

use std::{net::SocketAddr, time::Duration};

use sea_orm::DbBackend;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use super::{data_dir, error::CliError, migrate, output};
use crate::{
    app::App,
    config::{Config, Mode},
    http,
    live::installation,
    worker,
};

/// How long requests and background work may take to finish once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(25);

/// Serves until told to stop.
pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        CliError::because(format!(
            "{}: {error}; choose another with --listen",
            config.listen
        ))
    })?;
    let address = listener.local_addr()?;
    let secret = data_dir::secret(&config)?;
    let app = App::open(config, &secret).await?;
    migrate::up(&app.db, &app.config).await?;
    introduce(&app).await?;
    // Before the banner: whoever reads it may want to stop the server at once.
    stop_on_signal(&app)?;
    worker::start(&app);
    output::text(&banner(&app.config, address));
    let shutdown = app.shutdown.clone();
    let serving = http::serve(app.clone(), listener, shutdown.clone());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = serving => ended?,
        () = drained => tracing::warn!("connections were still open and are cut"),
    }
    shutdown.cancel();
    app.tasks.close();
    if timeout(DRAIN, app.tasks.wait()).await.is_err() {
        tracing::warn!("background work was still running and is cut");
    }
    app.db.clone().close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// What those who run several nodes should know of this one.
async fn introduce(app: &App) -> Result<(), CliError> {
    if app.db.backend() == DbBackend::Postgres && app.config.redis_url.is_none() {
        tracing::info!(
            "other nodes on this database hear of events within a second; with redis_url, at once"
        );
    }
    if installation::has_other_keys(&app.db, app.keys.id()).await? {
        tracing::warn!(
            "this database's tokens were sealed with another key, so whoever was signed in has to \
             sign in again; if other nodes run on it, give all of them the same secret_key"
        );
    }
    installation::keep_keys(&app.db, app.keys.id()).await?;
    Ok(())
}

/// The first SIGTERM or SIGINT asks the server to finish, the second ends it.
fn stop_on_signal(app: &App) -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = app.shutdown.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "it outlives the drain to hear the second signal"
    )]
    tokio::spawn(async move {
        for is_first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if is_first {
                tracing::info!("stopping: no new connections, open requests are finished");
                shutdown.cancel();
            }
        }
        std::process::exit(1);
    });
    Ok(())
}

fn banner(config: &Config, address: SocketAddr) -> String {
    let origin = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    let folder = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let (mode, graphiql) = match config.mode {
        Mode::Development => ("development", format!("\n  GraphiQL   {origin}/graphiql")),
        Mode::Production => ("production", String::new()),
    };
    format!(
        "\n  {name} (heddle {version}, {mode} mode)\n\n\
         \x20 App        {origin}/{graphiql}\n\
         \x20 API        {origin}/graphql\n\
         \x20 Data       {folder}\n\n",
        name = config.server_name,
        version = super::version(),
        folder = folder.display(),
    )
}
