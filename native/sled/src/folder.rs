// The folder of a vault: LOCK, CURRENT with the number of a folder, and in that folder what sled keeps. A compaction
// makes a folder with the next number; from the moment at which CURRENT names it, it is the vault.

use crate::failure::{Failure, Kind, Result};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const CURRENT: &str = "CURRENT";
const CURRENT_NEW: &str = "CURRENT.new";
const LOCK: &str = "LOCK";
const FIRST: u64 = 1;

/// The folder of a vault, locked until `unlock`.
pub struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Locks a vault; makes its folder first where there is none and `create` is given.
    pub fn open(path: &Path, create: bool) -> Result<Self> {
        if create && !path.try_exists()? {
            DirBuilder::new().mode(0o700).create(path)?;
            sync(parent_of(path))?;
        }
        let is_vault = path.join(CURRENT).try_exists()?;
        if !is_vault && !create {
            return Err(Failure::new(Kind::Io, format!("there is no vault at {}", path.display())));
        }
        if !is_vault {
            only_leftovers(path)?;
        }
        let lock = File::create(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::new(Kind::Busy, "its lock is held")),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    pub fn unlock(&self) -> Result<()> {
        Ok(self.lock.unlock()?)
    }

    /// The number that CURRENT names, or None for a vault that is being made.
    pub fn current(&self) -> Result<Option<u64>> {
        match fs::read(self.path.join(CURRENT)) {
            Ok(text) => {
                let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
                // What it does not name is removed, so that it must name something.
                let named = number.filter(|number| self.at(*number).join("db").is_file());
                let damaged = || Failure::new(Kind::Corrupt, "CURRENT names no folder of sled");
                named.map(Some).ok_or_else(damaged)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The number that a folder made now should have.
    pub fn next(current: Option<u64>) -> u64 {
        current.map_or(FIRST, |number| number + 1)
    }

    pub fn at(&self, number: u64) -> PathBuf {
        self.path.join(number.to_string())
    }

    /// Makes the folder with this number the vault, durably.
    pub fn switch(&self, number: u64) -> Result<()> {
        sync(&self.path)?;
        let new = self.path.join(CURRENT_NEW);
        let mut file = File::create(&new)?;
        writeln!(file, "{number}")?;
        file.sync_all()?;
        fs::rename(new, self.path.join(CURRENT))?;
        sync(&self.path)
    }

    /// Removes every other folder: what a compaction left behind, before its switch or after.
    pub fn tidy(&self, current: Option<u64>) -> Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
            if number.is_some() && number != current {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// What all files together have in bytes.
    pub fn bytes(&self) -> u64 {
        bytes_below(&self.path)
    }
}

fn only_leftovers(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if ![LOCK, CURRENT_NEW, "1"].iter().any(|leftover| name == *leftover) {
            let message = format!("{} is something else", path.display());
            return Err(Failure::new(Kind::Format, message));
        }
    }
    Ok(())
}

fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => bytes_below(&entry.path()),
            // A file with holes takes less than its length, one with room behind its end no more.
            Ok(about) => about.len().min(about.blocks() * 512),
            // It was removed in the meantime.
            Err(_) => 0,
        })
        .sum()
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder durable.
pub fn sync(path: &Path) -> Result<()> {
    Ok(File::open(path)?.sync_all()?)
}
