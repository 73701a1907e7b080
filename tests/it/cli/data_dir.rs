//! The data folder: who may read it, and what happens when several processes use it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

use super::{Machine, mode, on_both, serving::Server};

on_both!(migrations_that_start_together_wait_for_each_other);

#[test]
fn every_file_is_private_in_an_open_folder() {
    let machine = Machine::sqlite();
    let data = machine.path("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o777)).unwrap();
    machine.runs(&["migrate", "up"]);
    let database = data.join("heddle.sqlite");
    assert_eq!(mode(&database), 0o600);
    // An earlier version left it readable.
    fs::set_permissions(&database, Permissions::from_mode(0o644)).unwrap();
    let server = Server::start(&machine, &["serve", "--listen", "127.0.0.1:0"]);
    let files: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let names: Vec<_> = files
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    for name in [
        "heddle.sqlite",
        "heddle.sqlite-wal",
        "heddle.sqlite-shm",
        "token.key",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    for path in &files {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_second_server_does_not_start_in_the_same_folder() {
    let machine = Machine::sqlite();
    let server = Server::start(&machine, &["serve", "--listen", "127.0.0.1:0"]);
    let printed = machine.fails(1, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        printed.contains("another heddle serve uses this data folder"),
        "{printed}"
    );
    // Other commands work next to a server.
    machine.runs(&["migrate", "status"]);
    assert_eq!(server.stop(), Some(0));
    let next = Server::start(&machine, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(next.stop(), Some(0));
}

async fn migrations_that_start_together_wait_for_each_other(machine: Machine) {
    let start = || {
        let mut command = machine.heddle(&["migrate", "up"]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let started: Vec<_> = (0..4).map(|_| start()).collect();
    for child in started {
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
    }
    machine.runs(&["migrate", "status"]);
}

#[test]
fn a_damaged_key_is_named() {
    let machine = Machine::sqlite();
    let data = machine.path("data");
    fs::create_dir(&data).unwrap();
    let key = data.join("token.key");
    fs::write(&key, "not a key").unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let printed = machine.fails(3, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        printed.contains("data/token.key: the key is damaged"),
        "{printed}"
    );
}
