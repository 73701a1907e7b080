//! The data folder and the token key in it. Only the owner may read them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::Mode, process::umask};

use super::error::{CliError, Exit};
use crate::{auth::token::Keys, config::Config};

/// Only the owner may read and write.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// The permission bits of the group and of others.
const OTHERS: u32 = 0o077;

/// Creates the data folder if it does not exist. From here on, this process creates files that only their owner may
/// read, even in a folder that others may read.
pub fn prepare(config: &Config) -> Result<(), CliError> {
    umask(Mode::from_raw_mode(OTHERS));
    let path = &config.data_dir;
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(path)
        .map_err(|error| unusable(path, &error.to_string()))
}

/// Locks the data folder as long as the returned file is open, and closes its database files to other users. Fails if
/// another server uses the folder.
pub fn lock(config: &Config) -> Result<File, CliError> {
    prepare(config)?;
    let folder = &config.data_dir;
    let close = |error: io::Error| unusable(folder, &error.to_string());
    let file = open_lock(&folder.join("serve.lock")).map_err(close)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(close(error)),
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "{}: another heddle serve uses this data folder; stop it, or choose another folder with --data-dir",
                folder.display()
            );
            return Err(CliError::because(message));
        }
    }
    for entry in fs::read_dir(folder).map_err(close)? {
        let path = entry.map_err(close)?.path();
        // A key that others could read is refused instead, because they may know it.
        if path.is_file() && path != key_path(config) && is_open_to_others(&path).map_err(close)? {
            fs::set_permissions(&path, Permissions::from_mode(PRIVATE_FILE)).map_err(close)?;
        }
    }
    Ok(file)
}

/// Opens a file that serves as a lock. Its content has no meaning.
pub fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE_FILE)
        .open(path)
}

/// Returns the secret from which the token keys are derived: from `secret_key`, or else from the data folder, where the
/// first start generates it.
pub fn secret(config: &Config) -> Result<Vec<u8>, CliError> {
    prepare(config)?;
    if let Some(text) = &config.secret_key {
        return Ok(Keys::from_text(text)?);
    }
    let path = key_path(config);
    match fs::read(&path) {
        Ok(secret) => {
            if is_open_to_others(&path)? {
                let reason = "other users may read it; run chmod 600 on it, or remove it to generate a new \
                              one (which signs out all users)";
                return Err(unusable(&path, reason));
            }
            if Keys::id_of(&secret).is_err() {
                let reason = "the key is damaged; restore it from a backup, or remove it to generate a new one \
                              (which signs out all users)";
                return Err(unusable(&path, reason));
            }
            Ok(secret)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path),
        Err(error) => Err(unusable(&path, &error.to_string())),
    }
}

/// The path of the key.
#[must_use]
pub fn key_path(config: &Config) -> PathBuf {
    config.data_dir.join("token.key")
}

/// Whether the group or others have permissions on a file or folder.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & OTHERS != 0)
}

/// Writes the key to a temporary file and links it to its path. When two processes start at the same time, one of them
/// wins, and no process reads half a key.
fn create(path: &Path) -> Result<Vec<u8>, CliError> {
    let secret = Keys::generate()?;
    let unfinished = path.with_extension(format!("key-{}", std::process::id()));
    let written = write(&unfinished, &secret).and_then(|()| fs::hard_link(&unfinished, path));
    let _ = fs::remove_file(&unfinished);
    match written {
        Ok(()) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(fs::read(path)?),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

fn write(path: &Path, secret: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(PRIVATE_FILE)
        .open(path)?;
    file.write_all(secret)?;
    file.sync_all()
}

fn unusable(path: &Path, reason: &str) -> CliError {
    let hint =
        "choose another folder with --data-dir, or give this one to the user that runs heddle";
    CliError::new(
        Exit::Configuration,
        format!("{}: {reason} ({hint})", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config {
            data_dir: folder.path().join("a/b"),
            ..Config::default()
        };
        let secret = secret(&config).expect("a key");
        assert_eq!(super::secret(&config).expect("the key"), secret);
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(&config.data_dir), 0o700);
        assert_eq!(mode(&key_path(&config)), 0o600);
        assert_eq!(fs::read_dir(&config.data_dir).expect("a folder").count(), 1);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        secret(&config).expect("a key");
        let open = Permissions::from_mode(0o640);
        fs::set_permissions(key_path(&config), open).expect("its owner");
        let failure = secret(&config).expect_err("refused");
        assert_eq!(failure.exit, Exit::Configuration);
        assert!(failure.to_string().contains("chmod 600"));
    }
}
