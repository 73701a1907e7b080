//! The audit log is verified and exported, and an export can be verified without the database.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{Machine, on_both};

on_both!(the_audit_log_is_verified_and_exported);

fn hash(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let digits = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

/// Decodes a TypeID into hexadecimal digits.
fn uuid(id: &Value) -> Value {
    const DIGITS: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    let Some(id) = id.as_str() else {
        return Value::Null;
    };
    let (_, suffix) = id.split_once('_').unwrap();
    let digit = |char| u128::try_from(DIGITS.find(char).unwrap()).unwrap();
    let number = suffix
        .chars()
        .fold(0, |number, char| number << 5 | digit(char));
    json!(format!("{number:032x}"))
}

async fn the_audit_log_is_verified_and_exported(machine: Machine) {
    for name in ["ann", "bob"] {
        let email = format!("{name}@example.org");
        let arguments = ["admin", "create", "--email", &email, "--password-stdin"];
        let created = machine.run_with_input(&arguments, "a loom has many heddles\n");
        assert!(created.status.success(), "{created:?}");
    }
    let verified = machine.runs(&["audit", "verify"]);
    assert!(verified.starts_with("2 entries are valid"), "{verified}");
    let head = verified.split("head ").nth(1).unwrap().trim();
    machine.runs(&["audit", "verify", "--expect", head]);
    let wrong = format!("2:{}", "0".repeat(64));
    let printed = machine.fails(1, &["audit", "verify", "--expect", &wrong]);
    assert!(printed.contains("does not contain"), "{printed}");
    machine.fails(2, &["audit", "verify", "--expect", "nonsense"]);

    // As `docs/audit.md` describes it.
    let mut before = "0".repeat(64);
    let exported = machine.runs(&["audit", "export"]);
    assert_eq!(exported.lines().count(), 2, "{exported}");
    for line in exported.lines() {
        let details = line.split("\"details\":").nth(1).unwrap();
        let (details, _) = details.split_once(",\"detailsHash\"").unwrap();
        let entry: Value = serde_json::from_str(line).unwrap();
        assert_eq!(entry["detailsHash"], hash(details));
        let at = chrono::DateTime::parse_from_rfc3339(entry["occurredAt"].as_str().unwrap());
        let chained = json!([
            before,
            entry["sequence"],
            uuid(&entry["id"]),
            at.unwrap().timestamp_millis(),
            entry["action"],
            entry["outcome"],
            uuid(&entry["actorId"]),
            entry["targetId"],
            entry["requestId"],
            entry["detailsHash"],
        ]);
        assert_eq!(entry["hash"], hash(&chained.to_string()));
        assert_eq!(entry["action"], "user.created");
        assert_eq!(entry["details"]["changes"][0]["after"], "ADMIN");
        entry["hash"].as_str().unwrap().clone_into(&mut before);
    }
    assert_eq!(head, format!("2:{before}"));
    let rest = machine.runs(&["audit", "export", "--after", "1"]);
    assert_eq!(rest.lines().count(), 1, "{rest}");
}
