//! Runs every block of the README, in order, in one shell, as a reader would.

use std::{fs, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

use crate::support::binary::Binary;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PATIENCE: Duration = Duration::from_secs(90);
/// The two commands that this test does not run: one starts the server, and the other runs the tests.
const COMMANDS: [&str; 2] = ["cargo run\n", "sh tests/run\n"];

/// Returns the text of the fenced blocks, which are all shell commands.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                assert_eq!(language, "sh", "a block that no test can run");
                open = Some(String::new());
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert_eq!(open, None, "a block that does not end");
    blocks
}

#[test]
fn the_readme_is_short_and_names_two_commands() {
    let text = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    assert!(text.lines().count() <= 150);
    let blocks = blocks(&text);
    for command in COMMANDS {
        assert_eq!(blocks.iter().filter(|block| *block == command).count(), 1);
    }
}

#[tokio::test]
async fn every_block_of_the_readme_works() {
    let text = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let issuers = text.split_once("HEDDLE_TRUSTED_ISSUERS='").unwrap().1;
    let issuers = issuers.split_once('\'').unwrap().0;
    let server = Binary::on_sqlite_with(vec![("HEDDLE_TRUSTED_ISSUERS", issuers)]).await;
    // A reader has seen the demo before.
    let demo = server.heddle().args(["seed", "--demo"]).output().await;
    let demo = demo.unwrap();
    assert!(demo.status.success(), "{demo:?}");
    let script: String = blocks(&text)
        .into_iter()
        .filter(|block| !COMMANDS.contains(&block.as_str()))
        .map(|block| block.replace("http://127.0.0.1:8000", server.url()))
        .collect();
    let mut shell = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("{script}\nwait")])
        .current_dir(ROOT)
        .env("HEDDLE_URL", server.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let group = format!("-{}", shell.id().unwrap());
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    let mut printed = String::new();
    let listening = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            printed.push_str(&line);
            printed.push('\n');
            let is_live = printed.contains("MessageSentEvent") && printed.contains("Linen, then.");
            if is_live && printed.contains("TRUSTED_ISSUER") {
                break;
            }
        }
    };
    let with_timeout = timeout(PATIENCE, listening).await;
    let ended = Command::new("kill")
        .args(["--", &group])
        .status()
        .await
        .unwrap();
    assert!(with_timeout.is_ok() && ended.success(), "{printed}");
    for expected in [
        r#""username":"weaver""#,
        r#""username":"shuttle""#,
        r#""replyCount":1"#,
        r#""depth":1"#,
        "Or silk.",
        "Linen, then.",
    ] {
        assert!(
            printed.contains(expected),
            "{expected} is not in\n{printed}"
        );
    }
    assert!(!printed.contains(r#""errors""#), "{printed}");
}
