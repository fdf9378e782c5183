// The folder of an index and its lock: one who writes, or any number who read.

use crate::disk::{is_index, sync};
use crate::failure::{Failure, Kind, Result};
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

pub const LOCK: &str = "LOCK";

/// Locks an index until the file is closed; makes its folder first where there is none and `create` is given.
pub fn lock(path: &Path, create: bool, read_only: bool) -> Result<File> {
    if create && !path.try_exists()? {
        DirBuilder::new().mode(0o700).create(path)?;
        sync(parent_of(path))?;
    }
    if !create && !is_index(path)? {
        return Err(Failure::new(Kind::Io, format!("there is no index at {}", path.display())));
    }
    let file = path.join(LOCK);
    let (lock, result) = if read_only {
        let lock = File::open(file)?;
        let result = lock.try_lock_shared();
        (lock, result)
    } else {
        let lock = File::options().write(true).create(true).truncate(false).open(file)?;
        let result = lock.try_lock();
        (lock, result)
    };
    match result {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Failure::new(Kind::Busy, "its lock is held")),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
