//! The commands that start, query and stop the server, and that migrate its tables.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use sea_orm::{ConnectionTrait, DbBackend};

use super::{Machine, err, mode, on_both, out};
use crate::support::redis::Redis;

/// A started server that has printed its address.
pub(super) struct Server {
    child: Child,
    pub(super) banner: String,
    pub(super) address: String,
}

impl Server {
    pub(super) fn start(machine: &Machine, arguments: &[&str]) -> Self {
        Self::started(machine.heddle(arguments))
    }

    /// Starts this command.
    pub(super) fn started(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut banner = String::new();
        while !banner.contains("  Data ") {
            let line = lines.next().unwrap().unwrap();
            banner.push_str(&line);
            banner.push('\n');
        }
        let api = banner.lines().find(|line| line.contains("API")).unwrap();
        let address = api
            .split("http://")
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        Self {
            child,
            banner,
            address,
        }
    }

    /// Stops the server and returns its exit code.
    pub(super) fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

on_both!(
    a_bare_start_serves_until_it_is_stopped,
    tables_go_up_and_down,
    migrations_are_not_reverted_below_a_running_server,
    reverting_in_production_needs_a_typed_word,
    the_database_of_another_application_is_left_alone
);

async fn a_bare_start_serves_until_it_is_stopped(machine: Machine) {
    let server = Server::start(&machine, &["--listen", "127.0.0.1:0"]);
    for part in ["App ", "GraphiQL ", "/graphql", "development mode"] {
        assert!(server.banner.contains(part), "{}", server.banner);
    }
    let data = machine.path("data");
    assert!(
        server.banner.contains(&data.display().to_string()),
        "{}",
        server.banner
    );
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("token.key")), 0o600);
    let key = fs::read(data.join("token.key")).unwrap();

    let url = format!("http://{}/graphql", server.address);
    let query = serde_json::json!({ "query": "{ __typename }" });
    let response = reqwest::Client::new()
        .post(url)
        .json(&query)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let healthy = machine.runs(&["healthcheck", "--listen", &server.address]);
    assert_eq!(healthy, "ok\n");

    let elsewhere = Machine::sqlite();
    let printed = elsewhere.fails(1, &["serve", "--listen", &server.address]);
    assert!(
        printed.contains("choose another with --listen"),
        "{printed}"
    );
    let address = server.address.clone();
    assert_eq!(server.stop(), Some(0));
    machine.fails(1, &["healthcheck", "--listen", &address]);

    let again = Server::start(&machine, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(fs::read(data.join("token.key")).unwrap(), key);
    assert_eq!(again.stop(), Some(0));
}

#[tokio::test]
async fn a_start_for_all_addresses_states_the_consequence() {
    let machine = Machine::sqlite();
    let exposed = Server::start(&machine, &["--listen", "0.0.0.0:0"]);
    let line = exposed.banner.lines().find(|line| line.contains("Exposed"));
    assert!(line.unwrap().contains("can register"), "{}", exposed.banner);
    assert_eq!(exposed.stop(), Some(0));
    let local = Server::start(&machine, &["--listen", "127.0.0.1:0"]);
    assert!(!local.banner.contains("Exposed"));
    assert_eq!(local.stop(), Some(0));
    let production = ["--mode", "production", "--public-url", "http://localhost"];
    let production = [&["--listen", "0.0.0.0:0"], &production[..]].concat();
    let production = Server::start(&machine, &production);
    assert!(!production.banner.contains("Exposed"));
    assert_eq!(production.stop(), Some(0));
}

async fn the_database_of_another_application_is_left_alone(machine: Machine) {
    let prepare = async |change: &str| {
        let db = machine.db().await;
        db.migrate().execute_unprepared(change).await.unwrap();
        db.close().await.unwrap();
    };
    fs::create_dir(machine.path("data")).unwrap();
    let db = machine.db().await;
    if db.backend() == DbBackend::Postgres {
        // The database of a test is migrated.
        let empty = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        db.migrate().execute_unprepared(empty).await.unwrap();
    }
    db.close().await.unwrap();
    prepare("CREATE TABLE ledger (entry integer)").await;
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["migrate", "up"],
    ] {
        let printed = machine.fails(4, arguments);
        assert!(printed.contains("another application"), "{printed}");
    }
    prepare("INSERT INTO ledger VALUES (1)").await;
    prepare("DROP TABLE ledger").await;
    machine.runs(&["migrate", "up"]);
    // A later version has applied a migration that this version does not know.
    prepare("INSERT INTO seaql_migrations VALUES ('m29990101_000000_later', 0)").await;
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["migrate", "up"],
    ] {
        let printed = machine.fails(4, arguments);
        assert!(printed.contains("m29990101_000000_later"), "{printed}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let machine = Machine::sqlite();
    fs::create_dir(machine.path("data")).unwrap();
    let text = "not a database, but the notes of a weaver ".repeat(100);
    fs::write(machine.path("data/heddle.sqlite"), &text).unwrap();
    let printed = machine.fails(4, &["serve", "--listen", "127.0.0.1:0"]);
    let expected = "data/heddle.sqlite: the file is not a SQLite database";
    assert!(printed.contains(expected), "{printed}");
    let left = fs::read_to_string(machine.path("data/heddle.sqlite"));
    assert_eq!(left.unwrap(), text);
}

async fn tables_go_up_and_down(machine: Machine) {
    machine.runs(&["migrate", "up"]);
    let status = machine.runs(&["migrate", "status"]);
    assert!(
        status.lines().all(|line| line.starts_with("applied ")),
        "{status}"
    );
    let reverted = machine.runs(&["migrate", "down"]);
    let newest = status
        .lines()
        .last()
        .unwrap()
        .replace("applied ", "reverted ");
    assert!(reverted.starts_with(&newest), "{reverted}");
    let left = status.lines().count() - 1;
    let summary = format!("1 migrations reverted, {left} remain\n");
    assert!(reverted.ends_with(&summary), "{reverted}");
    let status = machine.fails(5, &["migrate", "status"]);
    assert!(
        status.contains("missing ") && status.contains("heddle migrate up"),
        "{status}"
    );
    machine.fails(2, &["migrate", "down", "--steps", "0"]);
    let steps = status
        .lines()
        .filter(|line| line.starts_with("applied "))
        .count()
        .to_string();
    let reverted = machine.runs(&["migrate", "down", "--steps", "1000"]);
    assert!(
        reverted.contains("dropped   table message with 0 rows"),
        "{reverted}"
    );
    let summary = format!("{steps} migrations reverted, 0 remain\n");
    assert!(reverted.ends_with(&summary), "{reverted}");
    let nothing = machine.runs(&["migrate", "down"]);
    assert_eq!(nothing, "0 migrations reverted: none is applied\n");
    let applied = machine.runs(&["migrate", "up"]);
    assert_eq!(
        applied,
        format!(
            "{} migrations applied\n",
            steps.parse::<usize>().unwrap() + 1
        )
    );
    machine.runs(&["migrate", "status"]);
}

async fn migrations_are_not_reverted_below_a_running_server(machine: Machine) {
    let server = Server::start(&machine, &["serve", "--listen", "127.0.0.1:0"]);
    let printed = machine.fails(1, &["migrate", "down"]);
    assert!(printed.contains("heddle serve uses this data"), "{printed}");
    machine.runs(&["migrate", "status"]);
    assert_eq!(server.stop(), Some(0));
    machine.runs(&["migrate", "down"]);
}

async fn reverting_in_production_needs_a_typed_word(machine: Machine) {
    machine.runs(&["migrate", "up"]);
    let down = [
        "migrate",
        "down",
        "--mode",
        "production",
        "--public-url",
        "https://weaver.example",
        "--trusted-proxies",
        "127.0.0.1",
        "--secret-key",
        "0123456789abcdef0123456789abcdef",
    ];
    for typed in ["", "\n", "yes\n", "REVERT?\n"] {
        let output = machine.run_with_input(&down, typed);
        assert_eq!(output.status.code(), Some(1), "{typed}: {}", err(&output));
        assert!(
            out(&output).contains("Type revert to continue"),
            "{}",
            out(&output)
        );
        assert!(
            err(&output).contains("nothing was reverted"),
            "{}",
            err(&output)
        );
        machine.runs(&["migrate", "status"]);
    }
    let output = machine.run_with_input(&down, "revert\n");
    assert!(output.status.success(), "{}", err(&output));
    assert!(
        out(&output).contains("1 migrations reverted"),
        "{}",
        out(&output)
    );
    machine.fails(5, &["migrate", "status"]);
}

#[tokio::test]
async fn doctor_checks_redis_and_the_keys() {
    let machine = Machine::postgres().await;
    let mut redis = Redis::start().await;
    let url = redis.url();
    let with = ["doctor", "--redis-url", &url, "--secret-key"];
    let doctor = |key| [&with[..], &[key]].concat();
    let (one, other) = (
        "0123456789abcdef0123456789abcdef",
        "fedcba9876543210fedcba9876543210",
    );
    machine.runs(&["migrate", "up"]);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--secret-key", one];
    assert_eq!(Server::start(&machine, &serve).stop(), Some(0));
    let printed = machine.runs(&doctor(one));
    let found = printed.lines().any(|line| {
        line.starts_with("ok    redis: Redis ") || line.starts_with("ok    redis: Valkey ")
    });
    assert!(found && printed.contains("ok    keys: "), "{printed}");
    let printed = machine.fails(3, &doctor(other));
    assert!(printed.contains("WRONG keys: another node"), "{printed}");
    redis.is_killed().await;
    let printed = machine.fails(1, &doctor(one));
    assert!(printed.contains("WRONG redis: "), "{printed}");
}
