//! A database that cannot be used: every command names its place and the actual cause within a few seconds.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::{FileExt, PermissionsExt},
    thread,
    time::{Duration, Instant},
};

use sea_orm::ConnectionTrait;

use super::Machine;
use crate::support::postgres;

/// What a command may take: three seconds for the database, and the rest for its start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(7);

/// Every command that uses the database fails and prints all of this.
#[track_caller]
fn names(machine: &Machine, url: Option<&str>, parts: &[&str]) {
    for command in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["migrate", "up"],
        &["admin", "list"],
        &["doctor"],
    ] {
        let url = url.map(|url| ["--database-url", url]);
        let arguments = [command, url.as_ref().map_or(&[][..], |url| &url[..])].concat();
        let started = Instant::now();
        let printed = machine.fails(4, &arguments);
        assert!(started.elapsed() < PATIENCE, "{printed}");
        for part in parts {
            assert!(printed.contains(part), "{arguments:?}: {part}: {printed}");
        }
        assert!(!printed.contains("secret"), "{printed}");
    }
}

#[test]
fn causes_of_sqlite_are_named() {
    let machine = Machine::sqlite();
    let data = machine.path("data");
    let file = data.join("heddle.sqlite");
    fs::create_dir_all(&file).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    names(&machine, None, &["data/heddle.sqlite: this is a folder"]);
    fs::remove_dir(&file).unwrap();
    let url = format!("sqlite:{}/looms/a.sqlite", data.display());
    let looms = format!("the folder {}/looms does not exist", data.display());
    let printed = machine.fails(4, &["migrate", "up", "--database-url", &url]);
    assert!(printed.contains(&looms), "{printed}");

    machine.runs(&["migrate", "up"]);
    let url = format!("sqlite:{}?mode=ro", file.display());
    let printed = machine.fails(
        4,
        &["serve", "--listen", "127.0.0.1:0", "--database-url", &url],
    );
    assert!(printed.contains("the database is read-only"), "{printed}");
    assert!(printed.contains(&file.display().to_string()), "{printed}");

    let database = fs::OpenOptions::new().write(true).open(&file).unwrap();
    database.write_all_at(&[0xff; 3000], 100).unwrap();
    names(
        &machine,
        None,
        &["data/heddle.sqlite: the database is damaged"],
    );
}

#[test]
fn doctor_finds_damaged_pages() {
    let machine = Machine::sqlite();
    machine.runs(&["seed", "--demo"]);
    assert!(machine.runs(&["doctor"]).contains("ok    file: "));
    let path = machine.path("data/heddle.sqlite");
    let database = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = database.metadata().unwrap().len();
    // The schema stays as it is.
    for page in 10..length / 4096 {
        database.write_all_at(&[0xff; 64], page * 4096).unwrap();
    }
    let printed = machine.fails(4, &["doctor"]);
    assert!(printed.contains("the database is damaged"), "{printed}");
}

#[test]
fn doctor_reports_that_there_is_nothing_yet() {
    let machine = Machine::sqlite();
    let printed = machine.runs(&["doctor"]);
    assert!(printed.contains("there is nothing here yet"), "{printed}");
    assert!(printed.contains("data/heddle.sqlite"), "{printed}");
    assert!(!machine.path("data").exists(), "it creates nothing");
    machine.runs(&["admin", "list"]);
    machine.runs(&["doctor"]);
    fs::remove_file(machine.path("data/heddle.sqlite")).unwrap();
    let printed = machine.fails(4, &["doctor"]);
    assert!(
        printed.contains("although a server has run here"),
        "{printed}"
    );
    assert!(!machine.path("data/heddle.sqlite").exists(), "{printed}");
}

#[tokio::test]
async fn causes_of_postgres_are_named() {
    let machine = Machine::sqlite();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let url = format!("postgres://weaver:secret@{address}/loom");
    names(
        &machine,
        Some(&url),
        &[&format!("postgres://weaver@{address}/loom: "), "refused"],
    );
    let host = "no-such-host.invalid";
    let url = format!("postgres://weaver:secret@{host}/loom");
    let printed = machine.fails(4, &["migrate", "up", "--database-url", &url]);
    assert!(
        printed.contains(host) && !printed.contains("secret"),
        "{printed}"
    );

    let real = postgres::fresh_database().await;
    let name = real.split('?').next().unwrap().rsplit('/').next().unwrap();
    let other = real.replace(name, "no_such_loom");
    names(
        &machine,
        Some(&other),
        &["has no database no_such_loom", "/no_such_loom: "],
    );
    let db = heddle::db::Db::connect(&real).await.unwrap();
    let read_only = format!(r#"ALTER DATABASE "{name}" SET default_transaction_read_only = on"#);
    db.migrate().execute_unprepared(&read_only).await.unwrap();
    db.close().await.unwrap();
    names(&machine, Some(&real), &["the database is read-only"]);
}

/// Answers each connection with this error, or with nothing.
fn postgres_that_refuses(error: Option<(&'static str, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut silent = vec![];
        for mut client in listener.incoming().flatten() {
            let Some((code, message)) = error else {
                silent.push(client);
                continue;
            };
            let _ = client.read(&mut [0; 1024]);
            let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
            let length = u32::try_from(fields.len() + 4).unwrap();
            let response = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
            let _ = client.write_all(&response);
        }
    });
    format!("postgres://weaver:secret@{address}/loom?sslmode=disable")
}

#[test]
fn refusals_of_postgres_are_named() {
    let machine = Machine::sqlite();
    let failed = "password authentication failed";
    let url = postgres_that_refuses(Some(("28P01", failed)));
    names(
        &machine,
        Some(&url),
        &["the password of the user weaver is wrong"],
    );
    let url = postgres_that_refuses(Some(("57P03", "the database system is starting up")));
    names(
        &machine,
        Some(&url),
        &["the database system is starting up"],
    );
    names(
        &machine,
        Some(&postgres_that_refuses(None)),
        &["does not respond within 3 s"],
    );
}
