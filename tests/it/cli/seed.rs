//! The command that generates users and conversations.

use super::{Machine, on_both};

on_both!(
    the_demo_has_a_deep_thread,
    any_amount_of_seed_data_keeps_every_rule,
    wrong_counters_are_found_and_repaired
);

async fn the_demo_has_a_deep_thread(machine: Machine) {
    let printed = machine.runs(&["seed", "--demo"]);
    for name in ["ada", "ben", "cleo"] {
        assert!(printed.contains(name), "{printed}");
    }
    let again = machine.runs(&["seed", "--demo"]);
    assert!(again.contains("exist already"), "{again}");
    assert_eq!(machine.db_number(r#"SELECT count(*) FROM "user""#).await, 3);
    assert_eq!(
        machine.db_number("SELECT count(*) FROM conversation").await,
        2
    );
    assert_eq!(
        machine
            .db_number("SELECT count(*) FROM message WHERE depth = 8")
            .await,
        1
    );
    machine.runs(&["doctor", "--recount"]);
}

async fn any_amount_of_seed_data_keeps_every_rule(machine: Machine) {
    let numbers = [
        "seed",
        "--users",
        "20",
        "--conversations",
        "7",
        "--messages",
        "12000",
    ];
    let printed = machine.runs(&numbers);
    assert!(
        printed.starts_with("20 users, 7 conversations, 12000 messages in "),
        "{printed}"
    );
    assert_eq!(
        machine.db_number("SELECT count(*) FROM message").await,
        12_000
    );
    assert_eq!(
        machine
            .db_number("SELECT CAST(max(depth) AS bigint) FROM message")
            .await,
        8
    );
    let largest = "SELECT count(*) FROM message GROUP BY conversation_id ORDER BY 1 DESC LIMIT 1";
    assert!(
        machine.db_number(largest).await > 4_000,
        "one conversation takes several transactions"
    );
    let unfollowed = "SELECT count(*) FROM message m WHERE m.root_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM thread_follow f WHERE f.thread_id = m.root_id AND f.user_id = m.sender_id)";
    assert_eq!(machine.db_number(unfollowed).await, 0);
    machine.runs(&["doctor", "--recount"]);
    machine.fails(1, &numbers);
    machine.runs(&[&numbers[..], &["--seed", "2"]].concat());
    machine.runs(&["doctor", "--recount"]);
}

async fn wrong_counters_are_found_and_repaired(machine: Machine) {
    machine.runs(&[
        "seed",
        "--users",
        "3",
        "--conversations",
        "1",
        "--messages",
        "200",
    ]);
    let db = machine.db().await;
    db.write(|tx| async move {
        for statement in [
            "UPDATE message SET reply_count = reply_count + 1 WHERE seq = 1",
            "UPDATE message SET descendant_count = 99 WHERE seq IN (2, 3)",
            "UPDATE thread SET reply_count = reply_count + 1",
            "UPDATE message SET root_count = root_count + 1 WHERE seq = 1",
            "UPDATE message SET root_count = 1000 WHERE seq > 1",
            "UPDATE message SET sender_root_count = 1000 WHERE seq = 3",
            "UPDATE conversation SET root_count = 0",
        ] {
            heddle::db::execute(&*tx, statement, []).await?;
        }
        Ok(())
    })
    .await
    .unwrap();
    db.close().await.unwrap();
    let printed = machine.fails(1, &["doctor", "--recount"]);
    assert!(printed.contains("WRONG counts: 3 messages, "), "{printed}");
    assert!(
        printed.contains(", 202 root messages and 0 participants are"),
        "{printed}"
    );
    let json = machine.fails(1, &["doctor", "--recount", "--json"]);
    assert!(json.contains(r#""about": "counts""#), "{json}");
    machine.runs(&["doctor", "--recount", "--repair"]);
    machine.runs(&["doctor", "--recount"]);
}

#[test]
fn no_demo_user_exists_in_production() {
    let machine = Machine::sqlite();
    let production = [
        "--mode",
        "production",
        "--public-url",
        "https://chat.example.com",
        "--trusted-proxies",
        "127.0.0.1",
    ];
    let printed = machine.fails(3, &[&["seed", "--demo"][..], &production].concat());
    assert!(printed.contains("not available in production"), "{printed}");
}
