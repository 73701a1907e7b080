//! Settings: which source takes precedence, which values are rejected, and what is printed.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
};

use super::{Machine, err, out};

#[test]
fn print_shows_values_and_origins_but_no_secrets() {
    let machine = Machine::sqlite();
    fs::write(
        machine.path("heddle.toml"),
        "server_name = 'Guild'\nthread_depth = 9\n",
    )
    .unwrap();
    fs::write(machine.path(".env"), "HEDDLE_THREAD_DEPTH=8\n").unwrap();
    let mut command = machine.heddle(&["config", "print", "--listen", "127.0.0.1:1"]);
    command.env("HEDDLE_DATABASE_URL", "postgres://ann:hunter2@db/heddle");
    let printed = out(&command.output().unwrap());
    let lines: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for line in [
        ["server_name", "Guild", "heddle.toml"],
        ["thread_depth", "8", ".env"],
        ["listen", "127.0.0.1:1", "flag"],
        [
            "database_url",
            "postgres://ann:***@db/heddle",
            "environment",
        ],
        ["message_length", "10000", "default"],
    ] {
        assert!(
            lines.contains(&line.to_vec()),
            "{line:?} is not in\n{printed}"
        );
    }
    assert!(!printed.contains("hunter2"));
}

#[test]
fn mistakes_are_reported_with_key_origin_and_example() {
    let machine = Machine::sqlite();
    let mut command = machine.heddle(&["migrate", "status"]);
    command
        .env("HEDDLE_LISTN", "x")
        .env("HEDDLE_MESSAGE_LENGTH", "many");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let returned = err(&output);
    assert!(
        returned.contains(
            "HEDDLE_LISTN (environment): there is no such setting. Did you mean HEDDLE_LISTEN?"
        ),
        "{returned}"
    );
    assert!(
        returned.contains("HEDDLE_MESSAGE_LENGTH (environment): `many` must be a whole number"),
        "{returned}"
    );
    assert!(returned.contains("for example 4000"), "{returned}");
    assert!(
        !machine.path("data").exists(),
        "nothing is made with broken settings"
    );
}

#[test]
fn unsafe_settings_are_rejected() {
    let machine = Machine::sqlite();
    let returned = machine.fails(3, &["serve", "--allowed-origins", "*"]);
    assert!(
        returned.contains("--allowed-origins (flag): `*` must be whole"),
        "{returned}"
    );
    let returned = machine.fails(
        3,
        &["serve", "--mode", "production", "--sign-up-policy", "open"],
    );
    assert!(
        returned.contains("public_url (default): production needs"),
        "{returned}"
    );
    assert!(
        returned.contains("--sign-up-policy (flag): production refuses open"),
        "{returned}"
    );
    let returned = machine.fails(3, &["serve", "--redis-url", "redis://localhost"]);
    assert!(
        returned.contains("--redis-url (flag): has no use with SQLite"),
        "{returned}"
    );
}

/// The server starts with all of its settings or not at all.
#[test]
fn a_damaged_configuration_starts_nothing() {
    type Damage<'a> = &'a dyn Fn(&Path);
    let damages: [(&str, Damage<'_>, &str); 8] = [
        (
            "heddle.toml",
            &|path| fs::write(path, "mode = 'prod").unwrap(),
            "line 1",
        ),
        (
            "heddle.toml",
            &|path| fs::write(path, [0xff, 0xfe, 0x00]).unwrap(),
            "UTF-8",
        ),
        (
            "heddle.toml",
            &|path| fs::write(path, "listen = 8000\n[http]\nport = 1").unwrap(),
            "http",
        ),
        (
            "heddle.toml",
            &|path| fs::write(path, "message_length = 9\nmessage_length = 9").unwrap(),
            "duplicate key",
        ),
        (
            "heddle.toml",
            &|path| fs::create_dir(path).unwrap(),
            "directory",
        ),
        (
            "heddle.toml",
            &|path| symlink("/nowhere", path).unwrap(),
            "No such file",
        ),
        (
            ".env",
            &|path| fs::write(path, "HEDDLE_LISTEN='127.0.0.1").unwrap(),
            ".env",
        ),
        (".env", &|path| symlink("/nowhere", path).unwrap(), ".env"),
    ];
    for (name, damage, part) in damages {
        let machine = Machine::sqlite();
        damage(&machine.path(name));
        let printed = machine.fails(3, &["serve", "--listen", "127.0.0.1:0"]);
        assert!(printed.contains(part), "{name}: {printed}");
        assert!(!machine.path("data").exists(), "{name}: {printed}");
    }
    let machine = Machine::sqlite();
    let mut command = machine.heddle(&["serve", "--listen", "127.0.0.1:0"]);
    let output = command
        .env("HEDDLE_SERVER_NAME", OsStr::from_bytes(b"Loom\xff"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let printed = err(&output);
    let problem = "HEDDLE_SERVER_NAME (environment): its value is not valid UTF-8";
    assert!(printed.contains(problem), "{printed}");
}

#[test]
fn the_example_and_the_schema_need_no_settings() {
    let machine = Machine::sqlite();
    fs::write(machine.path("heddle.toml"), "nonsense = 1\n").unwrap();
    assert_eq!(
        machine.runs(&["config", "example"]),
        include_str!("../../../.env.example")
    );
    let schema = machine.runs(&["schema", "print"]);
    fs::write(machine.path("schema.graphql"), &schema).unwrap();
    machine.runs(&["schema", "check"]);
    fs::write(
        machine.path("schema.graphql"),
        schema.replacen("type ", "typo ", 1),
    )
    .unwrap();
    let returned = machine.fails(1, &["schema", "check"]);
    assert!(
        returned.contains("+ type ") && returned.contains("- typo "),
        "{returned}"
    );
}

#[test]
fn wrong_usage_exits_with_two() {
    let machine = Machine::sqlite();
    for arguments in [
        &["weave"][..],
        &["seed"],
        &["seed", "--users", "3"],
        &["seed", "--demo", "--users", "3"],
    ] {
        machine.fails(2, arguments);
    }
}

#[test]
fn a_database_that_is_not_there_exits_with_four() {
    let machine = Machine::sqlite();
    fs::write(machine.path("file"), "").unwrap();
    let returned = machine.fails(
        4,
        &[
            "migrate",
            "status",
            "--database-url",
            "sqlite:file/x.sqlite",
        ],
    );
    assert!(returned.starts_with("heddle: "), "{returned}");
}

#[test]
fn former_names_are_refused_with_the_current_name() {
    let machine = Machine::sqlite();
    for (former, current, value) in [
        ("share_answers", "share_subscription_payloads", "true"),
        ("lists_at_once", "list_fast_path", "true"),
        ("read_in_place", "sqlite_inline_reads", "true"),
        ("sends_together", "send_batch_size", "64"),
    ] {
        let variable = |key: &str| format!("HEDDLE_{}", key.to_uppercase());
        let flag = |key: &str| format!("--{}", key.replace('_', "-"));

        let mut command = machine.heddle(&["migrate", "status"]);
        let output = command.env(variable(former), value).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let expected = format!(
            "{} (environment): this setting is now called {}; rename it",
            variable(former),
            variable(current)
        );
        assert!(err(&output).contains(&expected), "{}", err(&output));

        let message = machine.fails(3, &["migrate", "status", &flag(former), value]);
        let expected = format!(
            "{} (flag): this setting is now called {}; rename it",
            flag(former),
            flag(current)
        );
        assert!(message.contains(&expected), "{message}");

        fs::write(machine.path("heddle.toml"), format!("{former} = {value}\n")).unwrap();
        let message = machine.fails(3, &["migrate", "status"]);
        fs::remove_file(machine.path("heddle.toml")).unwrap();
        let expected =
            format!("{former} (heddle.toml): this setting is now called {current}; rename it");
        assert!(message.contains(&expected), "{message}");
    }
}
