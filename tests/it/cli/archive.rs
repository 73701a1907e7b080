//! The import of mailing-list archives.

use std::fs;

use migration::{Migrator, MigratorTrait};
use sea_orm::ConnectionTrait;

use super::{Machine, err, on_both};

const ARCHIVE: &str = "\
From MAILER-DAEMON Fri Nov 20 22:28:40 2009
From: Ann Lee <ann@example.org>
Date: Fri, 20 Nov 2009 10:00:00 +0000
Message-ID: <1@example.org>
Subject: Reeds

Which reed?

From here on it is only text.

From MAILER-DAEMON Fri Nov 20 22:28:40 2009
From: =?iso-8859-1?Q?J=FCrgen?= <ann@example.net>
Date: Fri, 20 Nov 2009 09:00:00 +0000
Message-ID: <3@example.net>
References: <1@example.org> <lost@example.org>
In-Reply-To: <lost@example.org>
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Der gr=FCne.

From MAILER-DAEMON Fri Nov 20 22:28:40 2009
Subject: no sender

Hello?

From MAILER-DAEMON Fri Nov 20 22:28:40 2009
From: Ann Lee <ann@example.org>
Date: Fri, 20 Nov 2009 11:00:00 +0000
Message-ID: <4@example.org>
In-Reply-To: <3@example.net>

Danke.

From MAILER-DAEMON Fri Nov 20 22:28:40 2009
Received: from a list
From: Ann Lee <ann@example.org>
Date: Fri, 20 Nov 2009 10:00:00 +0000
Message-ID: <1@example.org>
Subject: [reeds] Reeds

Which reed?

From here on it is only text.

________________________________
The list about reeds
";

const LATER: &str = "
From MAILER-DAEMON Sat Nov 21 22:28:40 2009
From: Bob <bob@example.org>
Message-ID: <5@example.org>
In-Reply-To: <4@example.org>

Too late.
";

on_both!(
    an_archive_becomes_a_group_with_its_threads,
    a_verified_address_claims_its_mails,
    imports_of_earlier_versions_keep_their_keys,
    only_mails_can_be_imported,
    an_owner_is_offered_until_there_is_one
);

async fn an_archive_becomes_a_group_with_its_threads(machine: Machine) {
    machine.runs(&["seed", "--demo"]);
    fs::write(machine.path("list.mbox"), ARCHIVE).unwrap();
    let import = [
        "import",
        "mbox",
        "list.mbox",
        "--conversation",
        "Reeds",
        "--owner",
        "ada",
    ];
    let printed = machine.runs(&import);
    for line in [
        "changed: mail 3 at byte 545: no sender",
        "left out: mail 5 at byte 797: the same mail as mail 1",
        "5 mails found: 4 imported, 0 here before, 1 left out (1 doubles, 0 unreadable); 0 attachments left out.",
        "Total: 1 thread, the deepest with 2 levels of replies, by 3 authors.",
    ] {
        assert!(printed.contains(line), "{printed}");
    }

    let mails =
        "FROM message m JOIN conversation c ON c.id = m.conversation_id AND c.title = 'Reeds'";
    let count = |tail: &str| format!("SELECT count(*) {mails} {tail}");
    assert_eq!(
        machine
            .db_number(&count("WHERE body LIKE 'Reeds%Which reed_%only text.'"))
            .await,
        1
    );
    assert_eq!(
        machine
            .db_number(&count(
                "WHERE body = 'Der grüne.' AND depth = 1 AND seq = 2"
            ))
            .await,
        1
    );
    let old = "WHERE CAST(m.created_at AS text) LIKE '2009-11-20%'";
    assert_eq!(machine.db_number(&count(old)).await, 4);
    let names =
        r#"SELECT count(*) FROM "user" WHERE username LIKE 'ann%' AND password_hash IS NULL"#;
    assert_eq!(machine.db_number(names).await, 2);
    let owner = "SELECT count(*) FROM participant p JOIN conversation c ON c.id = p.conversation_id
        WHERE c.title = 'Reeds' AND p.role = 'OWNER' AND p.read_floor_seq = 4";
    assert_eq!(machine.db_number(owner).await, 1);

    assert!(machine.runs(&import).contains(" 0 imported, 4 here before"));
    fs::write(machine.path("list.mbox"), format!("{ARCHIVE}{LATER}")).unwrap();
    assert!(machine.runs(&import).contains(" 1 imported, 4 here before"));
    assert_eq!(
        machine
            .db_number(&count("WHERE depth = 3 AND seq = 5"))
            .await,
        1
    );
    machine.runs(&["doctor", "--recount"]);
}

async fn a_verified_address_claims_its_mails(machine: Machine) {
    fs::write(machine.path("list.mbox"), ARCHIVE).unwrap();
    let import = ["import", "mbox", "list.mbox", "--conversation", "Reeds"];
    let again = [
        "import",
        "mbox",
        "list.mbox",
        "--conversation",
        "More reeds",
    ];
    machine.runs(&import);
    // An administrator vouches for the address of an account.
    let create = [
        "admin",
        "create",
        "--username",
        "lee",
        "--email",
        "Ann@example.org",
        "--password-stdin",
    ];
    let created = machine.run_with_input(&create, "a loom has many heddles");
    assert!(created.status.success(), "{}", err(&created));
    machine.runs(&import);
    let by = |who: &str| {
        format!(r#"SELECT count(*) FROM message m JOIN "user" u ON u.id = m.sender_id WHERE {who}"#)
    };
    let (lee, ann) = (
        by("u.username = 'lee'"),
        by("u.import_key = 'ann@example.org' AND u.email IS NULL"),
    );
    assert_eq!(
        (machine.db_number(&lee).await, machine.db_number(&ann).await),
        (0, 2)
    );
    let printed = machine.runs(&[&import[..], &["--match-verified"]].concat());
    assert!(printed.contains(" 0 imported, 4 here before"), "{printed}");
    machine.runs(&[&again[..], &["--match-verified"]].concat());
    assert_eq!(
        (machine.db_number(&lee).await, machine.db_number(&ann).await),
        (4, 0)
    );
    let people = r#"SELECT count(*) FROM "user" WHERE import_key = 'ann@example.org'"#;
    assert_eq!(machine.db_number(people).await, 0);
    let places = r#"SELECT count(*) FROM participant p JOIN "user" u ON u.id = p.user_id WHERE u.username = 'lee'"#;
    assert_eq!(machine.db_number(places).await, 2);
    // Both identities have sent messages to one conversation: the counts of the account are those of both.
    let (forged, import_again) = (
        ARCHIVE.replace("ann@example.org", "ann@other.example"),
        ["import", "mbox", "forged.mbox", "--conversation", "Reeds"],
    );
    fs::write(
        machine.path("forged.mbox"),
        forged
            .replace("Which", "What")
            .replace("@example.org>\nSubject", "@example.com>\nSubject"),
    )
    .unwrap();
    machine.runs(&import_again);
    let rename = r#"UPDATE "user" SET email = 'ann@other.example', email_key = 'ann@other.example' WHERE username = 'lee'"#;
    let db = machine.db().await;
    db.migrate().execute_unprepared(rename).await.unwrap();
    db.close().await.unwrap();
    machine.runs(&[&import_again[..], &["--match-verified"]].concat());
    assert!(machine.db_number(&lee).await > 4);
    machine.runs(&["doctor", "--recount"]);
}

async fn imports_of_earlier_versions_keep_their_keys(machine: Machine) {
    fs::write(machine.path("list.mbox"), ARCHIVE).unwrap();
    let import = ["import", "mbox", "list.mbox", "--conversation", "Reeds"];
    machine.runs(&import);
    let all = Migrator::migrations();
    let keys = all
        .iter()
        .position(|step| step.name() == "m0020_import_keys");
    let steps = u32::try_from(all.len() - keys.unwrap()).unwrap();
    let db = machine.db().await;
    Migrator::down(db.migrate(), Some(steps)).await.unwrap();
    // Earlier versions stored no fingerprint.
    let shorten = "UPDATE message SET client_message_id = substr(client_message_id, 1, 45)";
    db.migrate().execute_unprepared(shorten).await.unwrap();
    db.close().await.unwrap();
    let accounts = r#"SELECT count(*) FROM "user" WHERE email LIKE 'ann@example.%'"#;
    assert_eq!(machine.db_number(accounts).await, 2);

    let printed = machine.runs(&import);
    assert!(printed.contains(" 0 imported, 4 here before"), "{printed}");
    assert_eq!(machine.db_number(accounts).await, 0);
    let people = r#"SELECT count(*) FROM "user" WHERE import_key LIKE 'ann@example.%'"#;
    assert_eq!(machine.db_number(people).await, 2);
    let left =
        "SELECT count(*) FROM message WHERE client_message_id IS NOT NULL OR import_key IS NULL";
    assert_eq!(machine.db_number(left).await, 0);
}

async fn only_mails_can_be_imported(machine: Machine) {
    fs::write(
        machine.path("notes.txt"),
        "These are notes.\n\nFrom Monday on.\n",
    )
    .unwrap();
    let printed = machine.fails(
        1,
        &["import", "mbox", "notes.txt", "--conversation", "Notes"],
    );
    assert!(printed.contains("notes.txt: no mails found"), "{printed}");
    machine.fails(1, &["import", "mbox", "missing", "--conversation", "Notes"]);
    fs::write(machine.path("list.mbox"), ARCHIVE).unwrap();
    let stranger = ["--owner", "stranger"];
    let import = ["import", "mbox", "list.mbox", "--conversation", "Notes"];
    let printed = machine.fails(1, &[&import[..], &stranger].concat());
    assert!(
        printed.contains("no account with the username stranger"),
        "{printed}"
    );
}

async fn an_owner_is_offered_until_there_is_one(machine: Machine) {
    fs::write(machine.path("list.mbox"), ARCHIVE).unwrap();
    let import = ["import", "mbox", "list.mbox", "--conversation", "Reeds"];
    let printed = machine.runs(&import);
    assert!(
        printed.contains("--owner USERNAME; create one first"),
        "{printed}"
    );
    machine.runs(&["seed", "--demo"]);
    let printed = machine.runs(&import);
    assert!(
        printed.contains("--owner USERNAME; for example ada, ben, cleo"),
        "{printed}"
    );
    let printed = machine.runs(&[&import[..], &["--owner", "ben"]].concat());
    assert!(!printed.contains("--owner"), "{printed}");
    assert!(!machine.runs(&import).contains("--owner"));
    // A participant becomes an owner too.
    let demote = "UPDATE participant SET role = 'MEMBER', sort_key = '1' || substr(sort_key, 2) WHERE role = 'OWNER'
        AND conversation_id IN (SELECT id FROM conversation WHERE title = 'Reeds')";
    let db = machine.db().await;
    db.migrate().execute_unprepared(demote).await.unwrap();
    db.close().await.unwrap();
    assert!(machine.runs(&import).contains("--owner"));
    let printed = machine.runs(&[&import[..], &["--owner", "ben"]].concat());
    assert!(!printed.contains("--owner"), "{printed}");
    // In the list of participants too, owners come first.
    machine.runs(&["doctor", "--recount"]);
}
