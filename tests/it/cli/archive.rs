//! The import of mailing-list archives.

use std::fs;

use super::{Machine, on_both};

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
    only_mails_can_be_imported
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
        "changed: mail 3 at byte 546: no sender",
        "left out: mail 5 at byte 812: the same mail as mail 1",
        "5 mails found: 4 imported, 0 here before, 1 left out (1 doubles, 0 unreadable); 0 attachments left out.",
        "Total: 2 threads, the deepest with 2 levels of replies, by 3 authors.",
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
