//! A disk that fails on demand: makes selected write calls of a server on SQLite fail. Contains no tests.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::binary::Binary;

/// Input/output error.
pub(crate) const EIO: i64 = 5;
/// No space left on device.
pub(crate) const ENOSPC: i64 = 28;
/// The layout of `struct plan` in `disk_faults.c`.
const PLAN_BYTES: u64 = 64;

/// The armed fault, and how often it has occurred.
pub(crate) struct DiskFaults {
    plan: File,
    folder: TempDir,
}

impl DiskFaults {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/support/disk_faults.c"
        );
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(library(folder.path()))
            .args([source, "-ldl"])
            .status();
        assert!(compiled.unwrap().success(), "a C compiler is needed");
        let plan = folder.path().join("plan");
        fs::write(&plan, vec![0; usize::try_from(PLAN_BYTES).unwrap()]).unwrap();
        let plan = File::options().read(true).write(true).open(plan).unwrap();
        Self { plan, folder }
    }

    /// Starts a server on this disk.
    pub(crate) async fn server(&self) -> Binary {
        let plan = self.folder.path().join("plan");
        let settings = vec![("DISK_FAULTS", plan.display().to_string())];
        Binary::on_sqlite_preloading(&library(self.folder.path()), settings).await
    }

    /// After `skip` write calls, the next `times` fail with `error`, on files whose names end with `suffix`.
    pub(crate) fn arm(&self, error: i64, suffix: &str, skip: i64, times: i64) {
        let mut name = [0; 32];
        name[..suffix.len()].copy_from_slice(suffix.as_bytes());
        self.plan.write_all_at(&name, 32).unwrap();
        self.set(1, skip);
        self.set(2, times);
        self.set(3, 0);
        self.set(0, error);
    }

    /// Disables the fault, and returns how many calls have failed.
    pub(crate) fn disarm(&self) -> i64 {
        self.set(0, 0);
        let mut failed = [0; 8];
        self.plan.read_exact_at(&mut failed, 24).unwrap();
        i64::from_ne_bytes(failed)
    }

    fn set(&self, field: u64, value: i64) {
        let bytes = value.to_ne_bytes();
        self.plan.write_all_at(&bytes, field * 8).unwrap();
    }
}

fn library(folder: &Path) -> PathBuf {
    folder.join("disk_faults.so")
}
