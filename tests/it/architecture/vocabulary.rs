//! Verifies the vocabulary: every public type has its own name, and no name, comment or message contains a banned word.

use std::collections::BTreeMap;

use super::sources::{Kind, Source, production, read, read_production, tokens};

/// Names that may occur more than once, with the reason.
const REPEATED_TYPES: &[(&str, &str)] = &[
    (
        "Model",
        "SeaORM requires this name for the row of an entity",
    ),
    (
        "Relation",
        "SeaORM requires this name for the relations of an entity",
    ),
    ("Args", "the arguments of one command of the command line"),
];

/// Names that occur once in `src/graphql` and once below it: the type of the schema, and the type that it exposes.
const GRAPHQL_TWINS: &[&str] = &[
    "AccountFilter",
    "AccountStatus",
    "AuditChange",
    "AuditFilter",
    "AuditOutcome",
    "ConversationFilter",
    "ConversationKind",
    "HistoryVisibility",
    "InvitationStatus",
    "MessageFilter",
    "MessageKind",
    "MessagePriority",
    "Notice",
    "NoticeType",
    "NotificationLevel",
    "NotificationType",
    "ParticipantRole",
    "PresenceStatus",
    "SecondFactor",
    "ServerRole",
    "SessionEndReason",
    "SignInChallenge",
    "SignUpPolicy",
    "Viewer",
    "Visibility",
];

/// Words that have a meaning only in this project, or that stand for a standard term, and the term to use. A name is
/// split at underscores and capitals, so `at hand` also bans `at_hand` and `AtHand`. This list may only grow.
const BANNED: &[(&str, &str)] = &[
    (
        "told, tell, tells, telling",
        "return, write, report, notify",
    ),
    ("hear, hears, heard, hearing", "receive, subscribe"),
    ("whoever", "the caller, the user who"),
    ("whatever", "anything else, any"),
    (
        "somebody, nobody, everybody, anybody",
        "a user, no one, every user",
    ),
    ("at hand", "cached, loaded"),
    ("the ordinary way", "the fallback, the executor"),
    ("lapse, lapses, lapsed", "expire"),
    ("mend, mends, mended", "fix, repair"),
    ("fleeting", "ephemeral"),
    ("doorbell, bell, rings", "wake-up"),
    ("verdict", "admission, result"),
    ("anew", "again"),
    (
        "for good, of late, a moment ago, one's own",
        "permanently, recently, its own",
    ),
    ("alike", "equal, equally"),
    ("crowd, crowds", "large conversation"),
    ("tally", "count"),
    ("lane, lanes", "scope"),
    ("looked at, a look, one look", "read, check, lookup"),
    ("thing, things", "the precise noun"),
];

/// Banned in the code and its documentation. Tests describe users who talk to each other: `ann.says(…)`.
const BANNED_OUTSIDE_TESTS: &[(&str, &str)] = &[
    ("ask, asks, asked, asking", "query, request, select"),
    ("say, says, said, saying", "return, state"),
    ("answer, answers, answered", "response, reply"),
    ("at once", "immediately, together, in one statement"),
    ("apart", "boxed, separately"),
    ("beside", "in addition to, next to"),
    ("news", "events, changes"),
    ("lies, stands", "is stored, is"),
    ("comes, goes", "arrives, is"),
    ("walk, walks", "scenario"),
];

/// Names of the schema that contain a banned word: a value of the enum `Visibility`, and its Rust variant.
const PUBLIC_NAMES: &[&str] = &["NOBODY", "Nobody"];

/// Correct uses of a banned word, as the whole phrase.
const ALLOWED: &[&str] = &[
    // Columns and an index of the database.
    "lapses at",
    "presence lapses",
    "lane id",
    // Former names of settings, in the list of changes.
    "share answers",
    "lists at once",
    // The name of a limit, which clients read.
    "answer bytes",
    // A user of the operating system.
    "owner nobody",
];

const SHOWN: usize = 50;

#[test]
fn public_type_names_are_unique() {
    let mut definitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in read_production("src") {
        let all = tokens(&file.text);
        let code = production(&all);
        for (index, token) in code.iter().enumerate() {
            let is_type = ["struct", "enum", "trait", "type", "union"]
                .iter()
                .any(|keyword| token.is(keyword));
            let is_public = index > 0 && code[index - 1].is("pub");
            if is_type
                && is_public
                && let Some(name) = code.get(index + 1)
                && name.kind == Kind::Identifier
            {
                definitions
                    .entry(name.text.to_owned())
                    .or_default()
                    .push(format!("{}:{}", file.path, name.line));
            }
        }
    }
    let repeated: Vec<_> = definitions
        .iter()
        .filter(|(name, _)| !REPEATED_TYPES.iter().any(|(allowed, _)| allowed == name))
        .filter(|(name, files)| files.len() > 1 && !are_twins(name, files))
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    assert!(
        repeated.is_empty(),
        "{} public types share their name with another: add what distinguishes them\n{}",
        repeated.len(),
        repeated.join("\n")
    );
}

#[test]
fn no_banned_word_is_used() {
    let mut findings = vec![];
    let rules = Rules::new();
    for file in read(&["src", "migration/src", "benches", "tests"], "rs") {
        if file.path.ends_with("architecture/vocabulary.rs") {
            continue;
        }
        for token in tokens(&file.text) {
            let is_public_name =
                token.kind == Kind::Identifier && PUBLIC_NAMES.contains(&token.text);
            let is_checked = matches!(token.kind, Kind::Identifier | Kind::Comment | Kind::Text);
            if is_checked && !is_public_name {
                rules.check(&file, token.text, token.line, &mut findings);
            }
        }
    }
    for file in texts() {
        rules.check(&file, &file.text, 1, &mut findings);
    }
    assert!(
        findings.is_empty(),
        "{} banned words:\n{}",
        findings.len(),
        findings[..findings.len().min(SHOWN)].join("\n")
    );
}

fn are_twins(name: &str, files: &[String]) -> bool {
    let in_graphql = files.iter().filter(|file| file.starts_with("src/graphql/"));
    GRAPHQL_TWINS.contains(&name) && files.len() == 2 && in_graphql.count() == 1
}

/// The files that are not Rust: those named, and those of a folder that end like this.
fn texts() -> Vec<Source> {
    let named = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "schema.graphql",
        ".env.example",
        "clippy.toml",
        "deny.toml",
        "Cargo.toml",
        ".ci/run",
        ".ci/unused.mjs",
        "tests/run",
        "tests/postgres",
        "web/client.js",
    ];
    let mut texts = read(&named, "");
    for (folder, extension) in [
        ("docs", "md"),
        ("tests/clients", "js"),
        (".config", "toml"),
        (".cargo", "toml"),
    ] {
        texts.extend(read(&[folder], extension));
    }
    texts
}

/// The banned phrases, as lists of words, by their first word.
struct Rules {
    banned: BTreeMap<&'static str, Vec<Rule>>,
    allowed: Vec<Vec<&'static str>>,
}

struct Rule {
    words: Vec<&'static str>,
    advice: &'static str,
    in_tests: bool,
}

impl Rules {
    fn new() -> Self {
        let mut banned: BTreeMap<&str, Vec<Rule>> = BTreeMap::new();
        for (list, in_tests) in [(BANNED, true), (BANNED_OUTSIDE_TESTS, false)] {
            for (phrases, advice) in list {
                for phrase in phrases.split(", ") {
                    let words: Vec<_> = phrase.split(' ').collect();
                    banned.entry(words[0]).or_default().push(Rule {
                        words,
                        advice,
                        in_tests,
                    });
                }
            }
        }
        Self {
            banned,
            allowed: ALLOWED
                .iter()
                .map(|phrase| phrase.split(' ').collect())
                .collect(),
        }
    }

    fn check(&self, file: &Source, text: &str, first_line: usize, findings: &mut Vec<String>) {
        let is_test = file.path.starts_with("tests/");
        let words = words(&text.replace(PUBLIC_NAMES[0], ""));
        let is_at = |index: usize, phrase: &[&str]| {
            words.len() >= index + phrase.len()
                && phrase
                    .iter()
                    .zip(&words[index..])
                    .all(|(phrase, (word, _))| phrase == word)
        };
        for (index, (word, line)) in words.iter().enumerate() {
            for rule in self.banned.get(word.as_str()).into_iter().flatten() {
                let is_allowed = || {
                    self.allowed.iter().any(|phrase| {
                        (0..phrase.len())
                            .filter(|offset| phrase[*offset] == *word && *offset <= index)
                            .any(|offset| is_at(index - offset, phrase))
                    })
                };
                if (rule.in_tests || !is_test) && is_at(index, &rule.words) && !is_allowed() {
                    findings.push(format!(
                        "{}:{}: {} ({})",
                        file.path,
                        first_line + line,
                        rule.words.join(" "),
                        rule.advice
                    ));
                }
            }
        }
    }
}

/// Splits a text or a name into lower-case words, each with the number of line breaks before it.
fn words(text: &str) -> Vec<(String, usize)> {
    let mut words = vec![];
    let mut word = String::new();
    let mut line = 0;
    let mut was_lower = false;
    for c in text.chars() {
        let starts_word = c.is_uppercase() && was_lower;
        let ends_word = starts_word || !(c.is_alphabetic() || c == '\'');
        if ends_word && !word.is_empty() {
            words.push((std::mem::take(&mut word), line));
        }
        if c.is_alphabetic() || (c == '\'' && !word.is_empty()) {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
        line += usize::from(c == '\n');
    }
    if !word.is_empty() {
        words.push((word, line));
    }
    words
}
