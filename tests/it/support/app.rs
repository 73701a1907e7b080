//! The real server, started inside the test and used through HTTP.

use std::net::SocketAddr;

use heddle::{
    app::App,
    auth::token::Keys,
    config::Config,
    db::Db,
    domain::{
        accounts::{NewAccount, Registration},
        admin,
    },
    entity::user::ServerRole,
    http, worker,
};
use sea_orm::DbBackend;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    captured_logs,
    person::{PASSWORD, Person},
    postgres, sqlite,
};

/// A server with its own database for one test. It ends with the test.
pub(crate) struct TestApp {
    /// The application of the running server, for what no client can do: setting the clock, reading rows.
    pub(crate) app: App,
    address: SocketAddr,
    server: JoinHandle<()>,
    _folder: TempDir,
}

impl TestApp {
    /// Starts a server on SQLite.
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_with(|_| ()).await
    }

    /// Starts a server on PostgreSQL.
    pub(crate) async fn postgres() -> Self {
        Self::postgres_with(|_| ()).await
    }

    /// Starts a server on SQLite, with other settings.
    pub(crate) async fn sqlite_with(settings: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = sqlite::fresh_file(folder.path()).await;
        Self::start(format!("sqlite://{}", file.display()), folder, settings).await
    }

    /// Starts a server on PostgreSQL, with other settings.
    pub(crate) async fn postgres_with(settings: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start(postgres::fresh_database().await, folder, settings).await
    }

    /// Starts another server on the same kind of database, with other settings.
    pub(crate) async fn with(&self, settings: impl FnOnce(&mut Config)) -> Self {
        match self.app.db.backend() {
            DbBackend::Postgres => Self::postgres_with(settings).await,
            _ => Self::sqlite_with(settings).await,
        }
    }

    async fn start(
        database_url: String,
        folder: TempDir,
        settings: impl FnOnce(&mut Config),
    ) -> Self {
        captured_logs::start();
        let mut config = Config {
            database_url,
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        settings(&mut config);
        let db = Db::connect(&config.database_url).await.unwrap();
        let secret = Keys::generate().unwrap();
        let app = App::open(db, config, &secret).await.unwrap();
        worker::start(&app);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = http::serve(app.clone(), listener, app.shutdown.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "aborted when the test drops the server"
        )]
        let server = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            app,
            address,
            server,
            _folder: folder,
        }
    }

    /// The URL of this path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// An anonymous client.
    pub(crate) fn anonymous(&self) -> Person {
        Person::anonymous(self)
    }

    /// Signs up a user as `name` (the username is `name` in lower case).
    pub(crate) async fn person(&self, name: &str) -> Person {
        Person::register(self, name).await
    }

    /// Creates a user with a role on the server, who knows no one, and signs in.
    pub(crate) async fn person_with_role(&self, username: &str, role: ServerRole) -> Person {
        let new = Registration {
            account: NewAccount {
                username: username.to_owned(),
                display_name: None,
                email: format!("{username}@example.org"),
            },
            password: PASSWORD.to_owned(),
            invitation_token: None,
        };
        let user = admin::create(&self.app, new, role).await.unwrap();
        let mut person = self.anonymous();
        person.id = user.id.to_string();
        person.username = user.username;
        person.signs_in().await;
        person
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.shutdown.cancel();
        self.server.abort();
    }
}
