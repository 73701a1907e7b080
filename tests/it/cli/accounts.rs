//! The commands that create accounts and reset passwords.

use std::fs;

use super::{Machine, err, on_both, out};

const GOOD: &str = "a loom has many heddles";

on_both!(administrators_are_made_before_the_first_start);

async fn administrators_are_made_before_the_first_start(machine: Machine) {
    for list in [&["admin", "list"][..], &["admin", "list", "--all"]] {
        let printed = machine.runs(list);
        assert!(
            printed.starts_with("there are no administrators yet"),
            "{printed}"
        );
    }
    let create = [
        "admin",
        "create",
        "--email",
        "ann@example.org",
        "--password-stdin",
    ];
    let output = machine.run_with_input(&create, &format!("{GOOD}\n"));
    assert!(
        out(&output).starts_with("ann can sign in (usr_"),
        "{}{}",
        out(&output),
        err(&output)
    );
    let again = machine.run_with_input(&create, GOOD);
    assert_eq!(again.status.code(), Some(1));
    let message = "This username is taken. Choose another one.";
    assert!(err(&again).contains(message), "{}", err(&again));
    let mut other = create.to_vec();
    other.extend(["--username", "annie"]);
    let other = machine.run_with_input(&other, GOOD);
    assert_eq!(other.status.code(), Some(1));
    let message = "An account with this email address exists. Sign in, or use another address.";
    assert!(err(&other).contains(message), "{}", err(&other));

    fs::write(machine.path("password"), GOOD).unwrap();
    let from_file = ["--password-file", "password", "--role", "member"];
    let bob = [
        "admin",
        "create",
        "--username",
        "bob",
        "--email",
        "bob@example.org",
    ];
    machine.runs(&[&bob[..], &from_file].concat());

    let administrators = machine.runs(&["admin", "list"]);
    assert!(
        administrators.contains("ADMIN      ann"),
        "{administrators}"
    );
    assert!(!administrators.contains("bob"), "{administrators}");
    assert_eq!(machine.runs(&["admin", "list", "--all"]).lines().count(), 2);
    assert!(
        !administrators.contains("no administrators"),
        "{administrators}"
    );
    machine.runs(&["doctor"]);
}

#[test]
fn bad_passwords_and_unknown_names_are_refused() {
    let machine = Machine::sqlite();
    let create = [
        "admin",
        "create",
        "--email",
        "ann@example.org",
        "--password-stdin",
    ];
    let refused = machine.run_with_input(&create, "short");
    assert_eq!(refused.status.code(), Some(1), "{}", err(&refused));
    machine.fails(2, &["admin", "create", "--email", "ann@example.org"]);
    machine.fails(1, &["admin", "reset-second-factor", "ann"]);
    let reset = ["admin", "reset-password", "ann", "--password-stdin"];
    assert_eq!(machine.run_with_input(&reset, GOOD).status.code(), Some(1));
    machine.run_with_input(&create, GOOD);
    let none = machine.fails(1, &["admin", "reset-second-factor", "ann"]);
    assert!(
        none.contains("This account has no second factor."),
        "{none}"
    );
    let done = machine.run_with_input(&reset, "another loom of many heddles");
    assert!(
        out(&done).contains("0 sessions were ended"),
        "{}{}",
        out(&done),
        err(&done)
    );
}
