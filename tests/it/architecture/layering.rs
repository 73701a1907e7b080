//! One crate has no walls of its own, so this reads the sources and holds them to the rule
//! `http → graphql → domain → entity`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Words that a room must not hold, and why. A path ends with `/` when it is a room.
const WALLS: &[(&[&str], &[&str], &str)] = &[
    (
        &[
            "entity/", "domain/", "live/", "auth/", "jobs/", "db/", "config/", "clock.rs",
            "error.rs",
        ],
        &[
            "async_graphql",
            "crate::graphql",
            "crate::http",
            "crate::cli",
        ],
        "the rooms below the face know nothing of it",
    ),
    (
        &["entity/"],
        &["async fn", "crate::domain", "crate::live"],
        "tables hold no rules",
    ),
    (
        &[
            "entity/", "domain/", "live/", "auth/", "jobs/", "graphql/", "db/", "config/",
        ],
        &["axum::", "hyper::", "hyper_util::"],
        "only the door speaks HTTP",
    ),
    (
        &["graphql/"],
        &[
            "ActiveModel",
            "db.write(",
            "Entity::find",
            "Entity::insert",
            "Entity::update",
            "Entity::delete",
        ],
        "the face asks the rules and never the tables",
    ),
    (
        &["auth/", "live/"],
        &["crate::domain"],
        "what stands beside the rules does not lean on them",
    ),
];

#[test]
fn imports_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = vec![];
    let files = sources(&root);
    assert!(files.len() > 50, "the sources are where they were");
    for file in files {
        let place = file.strip_prefix(&root).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        for (rooms, words, why) in WALLS {
            if !rooms.iter().any(|room| place.starts_with(room)) {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(word) = words.iter().find(|word| code.contains(**word)) {
                    broken.push(format!("src/{place}:{} holds {word}: {why}", number + 1));
                }
            }
        }
        if place.starts_with("graphql/")
            && place != "graphql/context.rs"
            && text.contains("ctx.data")
        {
            broken.push(format!(
                "src/{place} reads request data: graphql/context.rs does that"
            ));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_module_says_what_lives_in_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "migration/src", "tests/it"]
        .map(|room| sources(&root.join(room)))
        .concat();
    let silent: Vec<_> = files
        .iter()
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//!"))
        .collect();
    assert!(
        silent.is_empty(),
        "these open without a sentence: {silent:#?}"
    );
}

#[test]
fn no_file_grows_out_of_its_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = vec![];
    for (room, most) in [("src", 500), ("migration/src", 500), ("tests/it", 800)] {
        for file in sources(&root.join(room)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > most {
                long.push(format!(
                    "{} has {lines} lines, more than {most}",
                    file.display()
                ));
            }
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

fn sources(room: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(room).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}
