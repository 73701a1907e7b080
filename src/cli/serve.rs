//! `heddle serve`: everything, from one command.

use migration::{Migrator, MigratorTrait};
use tokio::net::TcpListener;

use crate::{app::App, auth::token::Keys, config::Config, error::Error, http};

/// Serves until told to stop.
pub async fn run(config: Config) -> Result<(), Error> {
    tokio::fs::create_dir_all(&config.data_dir)
        .await
        .map_err(Error::internal)?;
    let app = App::open(config, &Keys::generate()?).await?;
    Migrator::up(app.db.migrate(), None).await?;
    let listener = TcpListener::bind(app.config.listen)
        .await
        .map_err(Error::internal)?;
    let shutdown = app.shutdown.clone();
    http::serve(app, listener, shutdown).await
}
