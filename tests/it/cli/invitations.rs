//! An operator invites people from the command line.

use super::{Machine, on_both};

on_both!(people_are_invited);

async fn people_are_invited(machine: Machine) {
    let link = machine.runs(&[
        "admin",
        "invite",
        "--email",
        "ann@example.org",
        "--hours",
        "2",
    ]);
    assert!(
        link.starts_with("http://127.0.0.1:8000/invite#hit_"),
        "{link}"
    );
    machine.runs(&["admin", "invite", "--role", "auditor"]);
    let listed = machine.runs(&["admin", "invitations"]);
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(
        lines[0].contains("PENDING") && lines[0].contains("AUDITOR"),
        "{listed}"
    );
    assert!(lines[1].ends_with("MEMBER     ann@example.org"), "{listed}");
    let id = lines[0].split(' ').next().unwrap();
    machine.runs(&["admin", "revoke-invitation", id]);
    let listed = machine.runs(&["admin", "invitations"]);
    assert!(
        listed.lines().next().unwrap().contains("REVOKED"),
        "{listed}"
    );
    machine.fails(1, &["admin", "revoke-invitation", "nonsense"]);
    machine.fails(1, &["admin", "invite", "--email", "nonsense"]);
    machine.fails(2, &["admin", "invite", "--hours", "721"]);
    let log = machine.runs(&["audit", "export"]);
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(!log.contains("hit_"), "{log}");
}
