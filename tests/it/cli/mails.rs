//! Mails of all kinds, as users see them after the import.

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::{Machine, err, on_both, out, serving::Server};
use crate::support::person::Person;

/// A running server, and the owner of its archives.
struct Archives {
    machine: Machine,
    server: Server,
    owner: Person,
    count: usize,
}

/// A message of an archive.
#[derive(Debug)]
struct Mail {
    body: String,
    html: String,
    sender: String,
    at: String,
}

const FROM: &str = "From x@example.com Mon Jan  1 00:00:00 2001\n";

impl Archives {
    async fn start(machine: Machine) -> Self {
        let server = Server::start(&machine, &["--listen", "127.0.0.1:0"]);
        let endpoint = format!("http://{}/graphql", server.address);
        let owner = Person::anonymous_at(endpoint).sign_up("Keeper").await;
        Self {
            machine,
            server,
            owner,
            count: 0,
        }
    }

    /// Imports a file into a new group. Returns what the command prints, and the messages.
    async fn import(&mut self, data: impl AsRef<[u8]>) -> (String, Vec<Mail>) {
        self.count += 1;
        let title = format!("archive {}", self.count);
        fs::write(self.machine.path("list.mbox"), data).unwrap();
        let printed = self.machine.runs(&[
            "import",
            "mbox",
            "list.mbox",
            "--conversation",
            &title,
            "--owner",
            "keeper",
        ]);
        (printed, self.mails(&title).await)
    }

    async fn mails(&self, title: &str) -> Vec<Mail> {
        let groups =
            "query($title: String) { viewer { conversations(first: 100, filter: { text: $title }) {
            nodes { id title } } } }";
        let data = self.owner.execute(groups, json!({ "title": title })).await;
        let groups = data["viewer"]["conversations"]["nodes"].as_array().unwrap();
        let id = &groups.iter().find(|group| group["title"] == title).unwrap()["id"];
        let messages = "query($id: ID!, $after: String) { conversation(id: $id) {
            messages(first: 100, after: $after, includeReplies: true) { pageInfo { endCursor hasNextPage }
            nodes { body bodyHtml createdAt sender { displayName } } } } }";
        let nodes = self
            .owner
            .nodes(messages, json!({ "id": id }), "/conversation/messages")
            .await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let mails = nodes.iter().map(|node| Mail {
            body: text(&node["body"]),
            html: text(&node["bodyHtml"]),
            sender: text(&node["sender"]["displayName"]),
            at: text(&node["createdAt"]),
        });
        mails.collect()
    }
}

/// A mail with this header and text.
fn mail(header: &str, text: &str) -> String {
    format!("{FROM}{header}\n{text}\n\n")
}

on_both!(
    subjects_and_threads_are_those_of_the_archive,
    no_mail_is_lost_and_no_character_changed,
    plain_text_is_shown_as_it_is,
    what_accounts_may_not_have_is_changed_and_reported,
    an_address_in_a_mail_is_no_proof_of_identity,
);

async fn no_mail_is_lost_and_no_character_changed(machine: Machine) {
    let mut archives = Archives::start(machine).await;
    let head = "From: Ann <ann@example.com>\nSubject: Hello\n";
    let cases: &[(&str, Vec<u8>, &[&str])] = &[
        ("bare separators", format!("From - \n{head}\none\n\nFrom - \n{head}\ntwo\n").into(), &["one", "two"]),
        ("ids without a date", format!("From 1@xxx\n{head}\none\n\nFrom 2@xxx\n{head}\ntwo\n").into(), &["one", "two"]),
        ("no blank line between", format!("{FROM}{head}\none\n{FROM}{head}\ntwo\n").into(), &["one", "two"]),
        ("no line end between", format!("{FROM}{head}\none{FROM}{head}\ntwo").into(), &["one", "two"]),
        ("byte order marks", format!("\u{feff}{FROM}{head}\none\n\n\u{feff}{FROM}{head}\ntwo").into(), &["one", "two"]),
        ("a single mail", format!("{head}\none\n").into(), &["one"]),
        ("a date with UT", mail(&format!("Date: Wed, 11 Feb 1998 17:51:00 UT\n{head}"), "one").into(), &["one"]),
        ("one id for two mails",
            [mail(&format!("{head}Message-ID: <1@x>\n"), "one"), mail(&format!("{head}Message-ID: <1@x>\n"), "two")].concat().into(),
            &["one", "two"]),
        ("a type without a subtype", mail(&format!("{head}Content-Type: text\n"), "one").into(), &["one"]),
        ("a text of an unknown subtype", mail(&format!("{head}Content-Type: text/x-patch\n"), "+one").into(), &["+one"]),
        ("a blank plain part",
            mail(&format!("{head}Content-Type: multipart/alternative; boundary=b\n"),
                "--b\n\n \n--b\nContent-Type: text/html\n\n<p>one</p>\n--b--").into(),
            &["one"]),
        ("texts with names",
            mail(&format!("{head}Content-Type: multipart/mixed; boundary=b\n"),
                "--b\nContent-Type: text/plain; name=a.txt\n\none\n--b\nContent-Disposition: inline\n\ntwo\n--b--").into(),
            &["one\n\ntwo"]),
        ("a digest",
            mail(&format!("{head}Content-Type: multipart/digest; boundary=b\n"),
                "--b\n\nFrom: Bob\nSubject: inner\n\none\n--b--").into(),
            &["From: Bob\nSubject: inner\n\none"]),
        ("no character set", [mail(head, "Gr").trim_end().as_bytes(), b"\xfc\xdfe\n"].concat(), &["Grüße"]),
        ("an unknown character set",
            [mail(&format!("{head}Content-Type: text/plain; charset=x\n"), "Gr").trim_end().as_bytes(), b"\xfc\xdfe\n"].concat(),
            &["Grüße"]),
    ];
    for (name, data, texts) in cases {
        let (printed, mails) = archives.import(data).await;
        let bodies: Vec<&str> = mails.iter().map(|mail| mail.body.as_str()).collect();
        let expected: Vec<String> = texts
            .iter()
            .map(|text| format!("Hello\n\n{text}"))
            .collect();
        assert_eq!(bodies, expected, "{name}: {printed}");
        assert!(
            printed.contains(&format!("{0} mails found: {0} imported", texts.len())),
            "{name}: {printed}"
        );
    }
    let (_, mails) = archives
        .import(mail("From: =?utf-8?Q?J=C3?=\n =?utf-8?Q?=BCrgen?= <j@x.example>\nDate: 11 Feb 98 11:51 CST\nSubject: =?UTF-8?B?4oI=?= =?UTF-8?B?rCA1?=\n", "x"))
        .await;
    assert_eq!(
        (
            mails[0].sender.as_str(),
            mails[0].at.as_str(),
            mails[0].body.as_str()
        ),
        ("Jürgen", "1998-02-11T17:51:00.000Z", "€ 5\n\nx")
    );
    // A reply shows its subject if that is not the one of the thread.
    let thread = [
        mail(
            "From: a@x.example\nMessage-ID: <1@x>\nSubject: Reeds\n",
            "one",
        ),
        mail(
            "From: a@x.example\nIn-Reply-To: <1@x>\nSubject: Re: [list] reeds\n",
            "two",
        ),
        mail(
            "From: a@x.example\nIn-Reply-To: <1@x>\nSubject: Heddles (was: Reeds)\n",
            "three",
        ),
    ];
    let (_, mails) = archives.import(thread.concat()).await;
    let bodies: Vec<&str> = mails.iter().map(|mail| mail.body.as_str()).collect();
    assert_eq!(
        bodies,
        ["Reeds\n\none", "two", "Heddles (was: Reeds)\n\nthree"]
    );
    for (from, name) in [
        ("John Doe", "John Doe"),
        ("root (Cron Daemon)", "Cron Daemon"),
        ("John Doe <>", "John Doe"),
        ("John Doe john@example.com", "John Doe"),
        ("undisclosed-recipients:;", "Unknown sender"),
    ] {
        let (printed, mails) = archives.import(mail(&format!("From: {from}\n"), "x")).await;
        assert_eq!(mails[0].sender, name, "{from}: {printed}");
    }
    archives.server.stop();
}

async fn plain_text_is_shown_as_it_is(machine: Machine) {
    let mut archives = Archives::start(machine).await;
    let patch = "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@\n-removed\n+added\n \n \tkept";
    let text = format!("1986. That was __init__(a*b*c) & <b>\n\n{patch}\n\n> quoted #1\nanswer");
    let (_, mails) = archives
        .import(mail("From: a@x.example\nSubject: # [1]\n", &text))
        .await;
    assert_eq!(
        mails[0].html,
        "<p># [1]</p>\n<p>1986. That was __init__(a*b*c) &amp; &lt;b&gt;</p>\n<pre><code>--- a/x.c\n+++ b/x.c\n\
         @@ -1,2 +1,2 @@\n-removed\n+added\n \n \tkept\n</code></pre>\n<blockquote>\n<p>quoted #1</p>\n</blockquote>\n\
         <p>answer</p>\n"
    );
    archives.server.stop();
}

async fn what_accounts_may_not_have_is_changed_and_reported(machine: Machine) {
    let mut archives = Archives::start(machine).await;
    let data = [
        mail("From: Ann\u{202e}gnp.exe <rlo@example.com>\n", "a\0b"),
        mail("From: \u{200b} <blank@example.com>\n", "x"),
        mail(
            &format!("From: {} <long@example.com>\n", "long ".repeat(40)),
            "y",
        ),
    ];
    let (printed, mails) = archives.import(data.concat()).await;
    let senders: Vec<&str> = mails.iter().map(|mail| mail.sender.as_str()).collect();
    assert_eq!(
        senders,
        ["Anngnp.exe", "blank", "long ".repeat(16).trim_end()]
    );
    assert_eq!(mails[0].body, "a\u{fffd}b");
    assert_eq!(
        printed.matches("the name of the sender is changed").count(),
        3,
        "{printed}"
    );
    assert!(
        printed.contains("changed: mail 1 at byte 0: NUL characters are replaced"),
        "{printed}"
    );
    for title in ["a\nb", "a\u{7}b", " ", &"a".repeat(1000)] {
        archives
            .machine
            .fails(1, &["import", "mbox", "list.mbox", "--conversation", title]);
    }
    archives.server.stop();
}

async fn an_address_in_a_mail_is_no_proof_of_identity(machine: Machine) {
    let mut archives = Archives::start(machine).await;
    let endpoint = archives.owner.endpoint().to_owned();
    let bob = Person::anonymous_at(endpoint.clone()).sign_up("Bob").await;
    let data = [
        mail("From: Bob <bob@example.org>\n", "forged"),
        mail("From: Ann <ann@example.org>\n", "before she joins"),
    ];
    archives.import(data.concat()).await;
    // Bob has not verified his address.
    archives.machine.runs(&[
        "import",
        "mbox",
        "list.mbox",
        "--conversation",
        "archive 1",
        "--match-verified",
    ]);
    // Ann can sign up with the address of her mails, but not with the username of the person in the archive.
    let register = "mutation($input: RegisterInput!) { register(input: $input) { auth { viewer { user { id } } } } }";
    let input = |username: &str| {
        json!({ "input": {
            "username": username, "email": "ann@example.org", "password": "a loom has many heddles",
        } })
    };
    let visitor = Person::anonymous_at(endpoint);
    let taken = visitor.request(register, input("ann")).await;
    let problem = &taken["errors"][0]["extensions"]["problems"][0];
    assert_eq!(
        (&problem["path"], &problem["code"]),
        (&json!(["input", "username"]), &json!("TAKEN"))
    );
    let registered = visitor.execute(register, input("annlee")).await;
    let ann = &registered["register"]["auth"]["viewer"]["user"]["id"];
    let list = "{ viewer { conversations(first: 1) { nodes { messages(first: 10) { nodes {
        body isImported clientMessageId sender { id displayName isImported isVerified } } } } } } }";
    let data = archives.owner.execute(list, json!({})).await;
    let nodes = &data["viewer"]["conversations"]["nodes"][0]["messages"]["nodes"];
    for (node, name, account) in [(&nodes[0], "Bob", &json!(bob.id)), (&nodes[1], "Ann", ann)] {
        assert_eq!(node["isImported"], true);
        assert_eq!(node["clientMessageId"], json!(null));
        assert_eq!(node["sender"]["displayName"], name);
        assert_eq!(node["sender"]["isImported"], true);
        assert_ne!(&node["sender"]["id"], account);
    }
    let viewer = archives
        .owner
        .execute("{ viewer { user { isImported } } }", json!({}))
        .await;
    assert_eq!(viewer["viewer"]["user"]["isImported"], false);
    archives.server.stop();
}

async fn subjects_and_threads_are_those_of_the_archive(machine: Machine) {
    let mut archives = Archives::start(machine).await;
    let part = |id: &str, to: &str, subject: &str, text: &str| {
        let head = format!(
            "From: a@x.example\nMessage-ID: <{id}@x>\nIn-Reply-To: <{to}@x>\nSubject: {subject}\n\
             Date: Fri, 20 Nov 2009 10:00:00 +0000\n"
        );
        mail(&head, text)
    };
    let patch = "diff -u a/x b/x\n--- a/x\n+++ b/x\n@@ -1,4 +1,5 @@\n *one*\n\n\n+# two\n three";
    let data = [
        part("1", "none", "[PATCH] x", "first"),
        part("2", "1", "Re: [PATCH] x", "second"),
        part("3", "2", "[PATCH v2] x", patch),
        part("4", "3", "RE: [PATCH v2] x", "fourth"),
        part("5", "none", "alone", "fifth"),
        part("6", "none", "another", "sixth"),
        part("7", "6", "Re: another", "seventh"),
    ];
    let (printed, mails) = archives.import(data.concat()).await;
    let bodies: Vec<_> = mails.iter().map(|mail| mail.body.as_str()).collect();
    let starts = |text: &str| {
        bodies
            .iter()
            .find(|body| body.contains(text))
            .unwrap()
            .lines()
            .next()
            .unwrap()
    };
    assert_eq!(starts("first"), "[PATCH] x");
    assert_eq!(starts("second"), "second");
    assert!(starts("# two").contains("PATCH v2"), "{bodies:?}");
    assert!(starts("fourth").contains("PATCH v2"), "{bodies:?}");
    assert_eq!(starts("seventh"), "seventh");
    let html = mails
        .iter()
        .find(|mail| mail.body.contains("# two"))
        .unwrap()
        .html
        .as_str();
    assert!(
        html.contains(&format!("<pre><code>{patch}\n</code></pre>")),
        "{html}"
    );
    assert!(printed.contains("Total: 2 threads,"), "{printed}");
    let threads =
        "query($text: String) { viewer { conversations(first: 1, filter: { text: $text }) { nodes {
        threads(first: 100) { nodes { id } } } } } }";
    let data = archives
        .owner
        .execute(threads, json!({ "text": "archive 1" }))
        .await;
    let listed = &data["viewer"]["conversations"]["nodes"][0]["threads"]["nodes"];
    assert_eq!(listed.as_array().unwrap().len(), 2);
    archives.server.stop();
}

#[test]
fn inputs_are_read_or_named() {
    let machine = Machine::sqlite();
    let import =
        |name: &str| ["import", "mbox", name, "--conversation", "Notes"].map(str::to_owned);
    let one = mail("From: Ann <ann@example.com>\nMessage-ID: <1@x>\n", "one");
    let mut packed = GzEncoder::new(vec![], Compression::default());
    packed.write_all(one.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let cases: &[(&str, &[u8], &str)] = &[
        ("zip", b"PK\x03\x04....", "is a zip archive"),
        ("page", b"\n<!DOCTYPE html><p>mails</p>", "is an HTML page"),
        ("picture", b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
        ("wide", b"\xff\xfeF\0r\0", "is text in UTF-16"),
        ("empty", b"", "the file is empty"),
        ("zeros", &[0; 1000], "only zeros"),
        ("text", b"notes\n", "no mails found; an mbox file has"),
        (
            "cut",
            &packed[..packed.len() - 12],
            "the gzip data is damaged or incomplete",
        ),
    ];
    for (name, data, message) in cases {
        fs::write(machine.path(name), data).unwrap();
        let arguments = import(name);
        let printed = machine.fails(1, &arguments.each_ref().map(String::as_str));
        assert!(printed.contains(message), "{name}: {printed}");
    }
    for folder in ["maildir/cur", "maildir/new", "maildir/tmp"] {
        fs::create_dir_all(machine.path(folder)).unwrap();
    }
    let printed = machine.fails(1, &import("maildir").each_ref().map(String::as_str));
    assert!(printed.contains("is a Maildir, a directory"), "{printed}");
    assert!(!machine.path("data/heddle.sqlite").exists());

    machine.runs(&["migrate", "up"]);
    fs::write(machine.path("packed"), packed).unwrap();
    assert!(
        machine
            .runs(&import("packed").each_ref().map(String::as_str))
            .contains("1 imported")
    );
    fs::write(machine.path("old"), one.replace('\n', "\r")).unwrap();
    assert!(
        machine
            .runs(&import("old").each_ref().map(String::as_str))
            .contains("0 imported, 1 here before")
    );
    for name in ["-", "/dev/stdin"] {
        let output = machine.run_with_input(&import(name).each_ref().map(String::as_str), &one);
        assert!(
            out(&output).contains("0 imported, 1 here before"),
            "{}{}",
            out(&output),
            err(&output)
        );
    }
}
