//! Verifies the rule `http → graphql → domain → entity`, which the compiler does not enforce inside one crate, and the
//! size and documentation of the files.

use super::sources::{Kind, Source, Token, production, read, tokens};

/// A rule: no file of these modules contains one of these texts. A path that ends with `/` is a folder.
struct Ban {
    modules: &'static [&'static str],
    texts: &'static [&'static str],
    reason: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        modules: &[
            "entity/", "domain/", "live/", "auth/", "jobs/", "mail/", "db/", "config/", "worker/",
            "clock.rs", "core.rs", "error.rs",
        ],
        texts: &[
            "async_graphql",
            "crate::graphql",
            "crate::http",
            "crate::cli",
        ],
        reason: "the modules below the GraphQL layer do not depend on it",
    },
    Ban {
        modules: &["entity/"],
        texts: &["async fn", "crate::domain", "crate::live"],
        reason: "tables contain no rules",
    },
    Ban {
        modules: &[
            "entity/", "domain/", "live/", "auth/", "jobs/", "mail/", "graphql/", "db/", "config/",
            "worker/",
        ],
        texts: &["axum::", "hyper::", "hyper_util::"],
        reason: "only the http module uses HTTP types",
    },
    Ban {
        modules: &["graphql/"],
        texts: &[
            "ActiveModel",
            "db.write(",
            "Entity::find",
            "Entity::insert",
            "Entity::update",
            "Entity::delete",
        ],
        reason: "the GraphQL layer calls the domain and never the tables",
    },
];

/// Imports that point upward: like a [`Ban`], for paths of this crate.
const UPWARD: &[Ban] = &[
    Ban {
        modules: &[
            "auth/", "live/", "jobs/", "mail/", "egress/", "db/", "core.rs",
        ],
        texts: &["domain"],
        reason: "modules that the domain uses do not depend on it",
    },
    Ban {
        modules: &[
            "domain/", "live/", "auth/", "jobs/", "mail/", "egress/", "entity/", "db/", "core.rs",
        ],
        texts: &["worker", "app"],
        reason: "the worker and the application use the domain, and not the reverse",
    },
];

/// What opens connections to other systems, and the only files that may use it.
const OUTGOING: &[(&str, &[&str])] = &[
    ("reqwest", &["src/egress/"]),
    ("lookup_host", &["src/egress/"]),
    ("TcpStream::connect", &["src/cli/healthcheck.rs"]),
    ("TcpSocket", &[]),
    ("UdpSocket", &[]),
    ("UnixStream", &[]),
    ("hyper::client", &[]),
    ("hyper_util::client", &[]),
    ("connect_async", &[]),
    ("SmtpTransport", &["src/mail/"]),
    (
        "redis::",
        &["src/live/bus/", "src/auth/action_limits/shared.rs"],
    ),
    ("PoolOptions", &["src/db/"]),
    ("ConnectOptions", &["src/db/"]),
    ("Database::connect", &["src/db/"]),
];

/// The longest `mod.rs`, in lines: an entry file introduces its module and contains little code.
const LONGEST_ENTRY_FILE: usize = 80;

/// Files that define the rule for who may see a message, from the first visible sequence number of a participant.
const VISIBILITY: &[&str] = &[
    "src/domain/predicates.rs",
    "src/domain/access.rs",
    "src/entity/",
];

#[test]
fn imports_point_down() {
    let mut findings = vec![];
    let files = read(&["src"], "rs");
    assert!(files.len() > 50, "the sources are below src");
    for file in &files {
        for ban in BANS.iter().filter(|ban| ban.applies_to(&file.path)) {
            for (number, line) in file.text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(text) = ban.texts.iter().find(|text| code.contains(**text)) {
                    findings.push(format!(
                        "{}:{} contains {text}: {}",
                        file.path,
                        number + 1,
                        ban.reason
                    ));
                }
            }
        }
        if file.path.starts_with("src/graphql/")
            && file.path != "src/graphql/context.rs"
            && file.text.contains("ctx.data")
        {
            findings.push(format!(
                "{} reads request data: only graphql/context.rs does that",
                file.path
            ));
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn only_clients_open_outgoing_connections() {
    let mut findings = vec![];
    for file in read(&["src"], "rs") {
        let all = tokens(&file.text);
        let code: String = production(&all).iter().map(|token| token.text).collect();
        for (text, files) in OUTGOING {
            let may = files.iter().any(|path| file.path.starts_with(path));
            if code.contains(text) && !may {
                findings.push(format!("{} uses {text}: use egress", file.path));
            }
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn lower_modules_import_no_upper_module() {
    let mut findings = vec![];
    for file in read(&["src"], "rs") {
        let all = tokens(&file.text);
        let code = production(&all);
        for ban in UPWARD.iter().filter(|ban| ban.applies_to(&file.path)) {
            for (module, line) in imported_modules(&code) {
                if ban.texts.contains(&module) {
                    findings.push(format!(
                        "{}:{line} imports {module}: {}",
                        file.path, ban.reason
                    ));
                }
            }
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn visibility_has_one_definition() {
    let mut findings = vec![];
    for file in read(&["src"], "rs") {
        if VISIBILITY.iter().any(|path| file.path.starts_with(path)) {
            continue;
        }
        let all = tokens(&file.text);
        let code = production(&all);
        for (index, token) in code.iter().enumerate() {
            if is_visibility_rule(&code, index) && !is_marked_for_the_planner(&file, token.line) {
                findings.push(format!("{}:{}", file.path, token.line));
            }
        }
    }
    assert!(
        findings.is_empty(),
        "{} statements or conditions repeat the visibility rule: use domain::predicates, or state \
         in a comment above why the planner needs the copy:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

/// A read of the first visible sequence number, as text of a statement, column or field. Storing it is no rule.
fn is_visibility_rule(code: &[Token<'_>], index: usize) -> bool {
    let before = |offset: usize| {
        index
            .checked_sub(offset)
            .map_or("", |index| code[index].text)
    };
    match code[index].kind {
        Kind::Text => code[index].text.contains("visible_from_seq"),
        Kind::Identifier if code[index].text == "VisibleFromSeq" => true,
        Kind::Identifier if code[index].text == "visible_from_seq" => {
            before(1) == "." && before(4) != "Set"
        }
        _ => false,
    }
}

fn is_marked_for_the_planner(file: &Source, line: usize) -> bool {
    file.text
        .lines()
        .take(line)
        .skip(line.saturating_sub(4))
        .any(|line| line.contains("//") && line.contains("planner"))
}

/// A partial row gives no access to columns that may not be loaded. The list plan reads those that its fields name.
#[test]
fn only_the_list_plan_reads_partial_rows() {
    let users: Vec<_> = read(&["src"], "rs")
        .into_iter()
        .filter(|file| file.text.contains("assume_loaded"))
        .map(|file| file.path)
        .filter(|path| {
            !path.starts_with("src/graphql/list_plan/") && path != "src/entity/partial.rs"
        })
        .collect();
    assert!(
        users.is_empty(),
        "these files read partial rows: {users:#?}"
    );
}

#[test]
fn every_module_has_a_description() {
    let missing: Vec<_> = read(&["src", "migration/src", "tests/it"], "rs")
        .into_iter()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.path)
        .collect();
    assert!(
        missing.is_empty(),
        "these files do not start with a sentence about what belongs in them: {missing:#?}"
    );
}

#[test]
fn files_stay_short() {
    let mut long = vec![];
    for (folder, most) in [("src", 500), ("migration/src", 500), ("tests/it", 800)] {
        for file in read(&[folder], "rs") {
            let lines = file.text.lines().count();
            if lines > most {
                long.push(format!("{} has {lines} lines, more than {most}", file.path));
            }
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn entry_files_stay_short() {
    let long: Vec<_> = read(&["src", "benches"], "rs")
        .iter()
        .filter(|file| file.path.ends_with("/mod.rs"))
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > LONGEST_ENTRY_FILE)
        .map(|(lines, path)| format!("{path} has {lines} lines"))
        .collect();
    assert!(
        long.is_empty(),
        "{} mod.rs files have more than {LONGEST_ENTRY_FILE} lines: move code into files of its own\n{}",
        long.len(),
        long.join("\n")
    );
}

impl Ban {
    fn applies_to(&self, path: &str) -> bool {
        let path = path.trim_start_matches("src/");
        self.modules.iter().any(|module| path.starts_with(module))
    }
}

/// Returns the modules of the crate that are named after `crate::`, also in the braces of a `use`, with their lines.
fn imported_modules<'a>(code: &[Token<'a>]) -> Vec<(&'a str, usize)> {
    let mut modules = vec![];
    for (index, token) in code.iter().enumerate() {
        if !token.is("crate") || !code.get(index + 1).is_some_and(|next| next.is(":")) {
            continue;
        }
        let Some(next) = code.get(index + 3) else {
            continue;
        };
        if !next.is("{") {
            modules.push((next.text, next.line));
            continue;
        }
        let mut depth = 0_u32;
        for pair in code[index + 3..].windows(2) {
            match pair[0].text {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && matches!(pair[0].text, "{" | ",") {
                modules.push((pair[1].text, pair[1].line));
            }
        }
    }
    modules
}
