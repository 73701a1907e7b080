//! Empty, migrated SQLite files, one per caller. This module does not depend on what the tests do with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use migration::{Migrator, MigratorTrait};
use sea_orm::Database;

/// Returns the path of a new file inside `folder`, with all tables and no rows.
pub(crate) async fn fresh_file(folder: &Path) -> PathBuf {
    let path = folder.join("heddle.db");
    fs::copy(template().await, &path).unwrap();
    path
}

/// The template file: migrated once per build of the tests, and shared by all their processes.
async fn template() -> PathBuf {
    let built = fs::metadata(std::env::current_exe().unwrap())
        .unwrap()
        .modified()
        .unwrap();
    let stamp = built.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("template-{stamp}.db"));
    if !path.exists() {
        // Built under another name and renamed, so that an existing template is complete.
        let unfinished = tempfile::NamedTempFile::new_in(folder).unwrap();
        let address = format!("sqlite://{}?mode=rwc", unfinished.path().display());
        let db = Database::connect(address).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        db.close().await.unwrap();
        unfinished.persist(&path).unwrap();
    }
    path
}
