// The directory that tantivy writes to. Segments become files at once, but nothing is synced before `flush`, so that a commit
// costs no wait for the disk; and tantivy's own list of segments stays in memory. What is durable is what STATE names, which
// `flush` replaces when all files that it is going to name are synced. So after a crash the index is as it was at a flush.
//
//   STATE: one line "tantivy-node 1 CRC\n", then JSON: {"files": {name: bytes}, "meta": tantivy's meta.json}
//          (CRC: CRC-32 of the JSON in hexadecimal)
//
// A file that STATE names is not removed before another STATE is in its place.

use crate::failure::{Failure, Kind, Result, is_full};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, META_LOCK, MmapDirectory, TerminatingWrite,
    WatchCallback, WatchHandle, WritePtr,
};

const STATE: &str = "STATE";
const STATE_NEW: &str = "STATE.new";
/// The layout of STATE and of what the index holds. Others are not read: an index can be made again.
const HEAD: &str = "tantivy-node 1 ";
const META: &str = "meta.json";
const MANAGED: &str = ".managed.json";

#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    path: PathBuf,
    mmap: MmapDirectory,
    held: Mutex<Held>,
    /// Whether somebody has tantivy's META_LOCK.
    locked: Mutex<bool>,
    unlocked: Condvar,
    is_hurried: AtomicBool,
    /// Whether a write found no room since somebody asked.
    was_full: AtomicBool,
}

#[derive(Default)]
struct Held {
    /// tantivy's small files, by name.
    small: HashMap<PathBuf, Vec<u8>>,
    /// Files written since they were last synced, as far as they are still there.
    unsynced: HashSet<PathBuf>,
    /// Files that STATE names.
    durable: HashSet<PathBuf>,
    /// tantivy's list of segments in STATE.
    stated: Vec<u8>,
    /// Files that a STATE being written names.
    pinned: HashSet<PathBuf>,
    /// Files that tantivy has removed and that are still there, for one of these.
    dead: HashSet<PathBuf>,
    /// Why nothing can become durable any more: what a sync has failed for, another one may leave out and succeed.
    failed: Option<Failure>,
}

fn open<T>(result: std::result::Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Reads what is in a folder, and removes there what STATE does not name; `is_new`: there is no STATE.
    pub fn open(path: &Path, read_only: bool) -> Result<(Self, bool)> {
        let mut held = Held::default();
        let state = match fs::read(path.join(STATE)) {
            Ok(bytes) => Some(parse(&bytes)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let is_new = state.is_none();
        if let Some((files, meta)) = state {
            for (name, bytes) in &files {
                match fs::metadata(path.join(name)) {
                    Ok(about) if about.len() == *bytes => {}
                    Ok(_) => return Err(Failure::corrupt(format!("{name} has not the length that it should have"))),
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        return Err(Failure::corrupt(format!("{name} is missing")));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let managed = json!(files.keys().map(String::as_str).chain([META]).collect::<Vec<_>>());
            held.small.insert(MANAGED.into(), managed.to_string().into_bytes());
            held.stated = meta.clone().into_bytes();
            held.small.insert(META.into(), meta.into_bytes());
            held.durable = files.into_keys().map(PathBuf::from).collect();
        }
        if !read_only {
            remove_all_but(path, &held.durable)?;
        }
        let mmap = MmapDirectory::open(path).map_err(|error| Failure::from(tantivy::TantivyError::from(error)))?;
        let inner = Inner {
            path: path.to_owned(),
            mmap,
            held: Mutex::new(held),
            locked: Mutex::new(false),
            unlocked: Condvar::new(),
            is_hurried: AtomicBool::new(false),
            was_full: AtomicBool::new(false),
        };
        Ok((Self(Arc::new(inner)), is_new))
    }

    /// The files that STATE names.
    pub fn durable(&self) -> Vec<PathBuf> {
        self.held().durable.iter().cloned().collect()
    }

    /// Makes what tantivy has committed so far durable.
    pub fn flush(&self) -> Result<()> {
        let (named, unsynced, meta) = {
            let mut held = self.held();
            if let Some(failure) = &held.failed {
                return Err(failure.clone());
            }
            let meta = held.small.get(Path::new(META)).cloned().unwrap_or_default();
            if meta == held.stated {
                return Ok(());
            }
            let segments = Segments::of(&meta)?;
            let known = held.unsynced.union(&held.durable);
            let named: HashSet<PathBuf> = known.filter(|path| segments.have(path)).cloned().collect();
            let unsynced: Vec<PathBuf> = named.intersection(&held.unsynced).cloned().collect();
            held.pinned.clone_from(&named);
            (named, unsynced, meta)
        };
        let synced = unsynced.iter().try_for_each(|path| Ok(File::open(self.0.path.join(path))?.sync_data()?));
        // Their names, before STATE has them.
        if let Err(failure) = synced.and_then(|()| sync(&self.0.path)) {
            self.held().failed = Some(failure.clone());
            return Err(failure);
        }
        self.write_state(&named, &meta)?;
        let mut held = self.held();
        for path in &unsynced {
            held.unsynced.remove(path);
        }
        held.durable = named;
        held.stated = meta;
        held.pinned.clear();
        let dead: Vec<PathBuf> = held.dead.difference(&held.durable).cloned().collect();
        for path in dead {
            held.dead.remove(&path);
            held.remove(&self.0.path, &path)?;
        }
        Ok(())
    }

    fn write_state(&self, named: &HashSet<PathBuf>, meta: &[u8]) -> Result<()> {
        let mut files = Map::new();
        for path in named {
            let bytes = fs::metadata(self.0.path.join(path))?.len();
            files.insert(path.to_string_lossy().into_owned(), bytes.into());
        }
        let state = json!({ "files": files, "meta": String::from_utf8_lossy(meta) }).to_string();
        let new = self.0.path.join(STATE_NEW);
        let mut file = File::create(&new)?;
        write!(file, "{HEAD}{:08x}\n{state}", crc32fast::hash(state.as_bytes()))?;
        file.sync_all()?;
        fs::rename(new, self.0.path.join(STATE))?;
        sync(&self.0.path)
    }

    /// Makes merges that are under way fail, from now on.
    pub fn hurry(&self) {
        self.0.is_hurried.store(true, Ordering::SeqCst);
    }

    pub fn is_hurried(&self) -> bool {
        self.0.is_hurried.load(Ordering::SeqCst)
    }

    /// Whether a write found no room since this was last asked: tantivy wraps some errors until nobody knows them.
    pub fn take_full(&self) -> bool {
        self.0.was_full.swap(false, Ordering::SeqCst)
    }

    /// What all files together have in bytes.
    pub fn bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.0.path) else { return 0 };
        // One may be removed in the meantime.
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|about| about.len()).sum()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        open(self.0.held.lock())
    }
}

impl Held {
    fn remove(&mut self, folder: &Path, path: &Path) -> io::Result<()> {
        self.unsynced.remove(path);
        match fs::remove_file(folder.join(path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Removes every file of an index but its lock and what `kept` names. Throws 'format' where there is something else.
fn remove_all_but(path: &Path, kept: &HashSet<PathBuf>) -> Result<()> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = PathBuf::from(entry?.file_name());
        if [crate::folder::LOCK, STATE].iter().any(|other| name == Path::new(other)) || kept.contains(&name) {
            continue;
        }
        if name != Path::new(STATE_NEW) && segment_of(&name).is_none() {
            let message = format!("{} is something else", path.display());
            return Err(Failure::new(Kind::Format, message));
        }
        removed.push(name);
    }
    for name in removed {
        fs::remove_file(path.join(name))?;
    }
    Ok(())
}

/// Removes a STATE and all that belongs to it, so that the folder can hold a new index.
pub fn wipe(path: &Path) -> Result<()> {
    // First: an index without its files would be damaged.
    match fs::remove_file(path.join(STATE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => sync(path)?,
    }
    remove_all_but(path, &HashSet::new())
}

pub fn is_index(path: &Path) -> Result<bool> {
    Ok(path.join(STATE).try_exists()?)
}

fn parse(bytes: &[u8]) -> Result<(HashMap<String, u64>, String)> {
    let damaged = || Failure::corrupt("STATE is damaged, or of another version");
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(HEAD)).ok_or_else(damaged)?;
    let (sum, state) = text.split_once('\n').ok_or_else(damaged)?;
    if u32::from_str_radix(sum, 16) != Ok(crc32fast::hash(state.as_bytes())) {
        return Err(damaged());
    }
    let state: Value = serde_json::from_str(state).map_err(|_| damaged())?;
    let files = state["files"].as_object().ok_or_else(damaged)?;
    let files = files.iter().map(|(name, bytes)| Ok((name.clone(), bytes.as_u64().ok_or_else(damaged)?)));
    let meta = state["meta"].as_str().ok_or_else(damaged)?;
    Ok((files.collect::<Result<_>>()?, meta.to_owned()))
}

/// The segments that tantivy's meta.json names, each with the number of its deletions.
struct Segments(HashMap<String, Option<u64>>);

impl Segments {
    fn of(meta: &[u8]) -> Result<Self> {
        let damaged = || Failure::corrupt("meta.json is not what was expected");
        let meta: Value = serde_json::from_slice(meta).map_err(|_| damaged())?;
        let segments = meta["segments"].as_array().ok_or_else(damaged)?;
        let segments = segments.iter().map(|segment| {
            let id = segment["segment_id"].as_str().ok_or_else(damaged)?.replace('-', "");
            Ok((id, segment["deletes"]["opstamp"].as_u64()))
        });
        Ok(Self(segments.collect::<Result<_>>()?))
    }

    fn have(&self, path: &Path) -> bool {
        let Some((id, end)) = segment_of(path) else { return false };
        let Some(deletes) = self.0.get(id) else { return false };
        match end.strip_suffix(".del") {
            Some(number) => number.parse().ok() == *deletes,
            None => true,
        }
    }
}

/// "ID.idx", "ID.12.del" -> the id and what follows the first dot; None for what is no file of a segment.
fn segment_of(path: &Path) -> Option<(&str, &str)> {
    let (id, end) = path.to_str()?.split_once('.')?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some((id, end))
}

/// Makes the names in a folder durable.
pub fn sync(path: &Path) -> Result<()> {
    Ok(File::open(path)?.sync_all()?)
}

/// A file that is written and not synced.
struct Unsynced {
    file: File,
    disk: Disk,
    /// A merge can be ended.
    is_merge: bool,
}

impl Write for Unsynced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_merge && self.disk.is_hurried() {
            return Err(io::Error::other("the index is being closed"));
        }
        self.file.write(bytes).inspect_err(|error| {
            self.disk.0.was_full.fetch_or(is_full(error), Ordering::SeqCst);
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Unsynced {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        Ok(())
    }
}

/// META_LOCK, until it is dropped.
struct MetaLock(Disk);

impl Drop for MetaLock {
    fn drop(&mut self) {
        *open(self.0.0.locked.lock()) = false;
        self.0.0.unlocked.notify_one();
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Disk({})", self.0.path.display())
    }
}

fn is_small(path: &Path) -> bool {
    path == Path::new(META) || path == Path::new(MANAGED)
}

impl Directory for Disk {
    fn get_file_handle(&self, path: &Path) -> std::result::Result<Arc<dyn FileHandle>, OpenReadError> {
        self.0.mmap.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> std::result::Result<(), DeleteError> {
        let mut held = self.held();
        if held.small.remove(path).is_some() {
            return Ok(());
        }
        if held.durable.contains(path) || held.pinned.contains(path) {
            held.dead.insert(path.to_owned());
            return Ok(());
        }
        held.remove(&self.0.path, path)
            .map_err(|error| DeleteError::IoError { io_error: Arc::new(error), filepath: path.to_owned() })
    }

    fn exists(&self, path: &Path) -> std::result::Result<bool, OpenReadError> {
        if is_small(path) { Ok(self.held().small.contains_key(path)) } else { self.0.mmap.exists(path) }
    }

    fn open_write(&self, path: &Path) -> std::result::Result<WritePtr, OpenWriteError> {
        let mut held = self.held();
        let file = File::options().write(true).create_new(true).open(self.0.path.join(path)).map_err(|error| {
            match error.kind() {
                ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
                _ => OpenWriteError::wrap_io_error(error, path.to_owned()),
            }
        })?;
        held.unsynced.insert(path.to_owned());
        let is_merge = std::thread::current().name().is_some_and(|name| name.starts_with("merge_thread"));
        Ok(BufWriter::new(Box::new(Unsynced { file, disk: self.clone(), is_merge })))
    }

    fn atomic_read(&self, path: &Path) -> std::result::Result<Vec<u8>, OpenReadError> {
        let missing = || OpenReadError::FileDoesNotExist(path.to_owned());
        self.held().small.get(path).cloned().ok_or_else(missing)
    }

    fn atomic_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if !is_small(path) {
            return Err(io::Error::other(format!("{} is no file that is known", path.display())));
        }
        self.held().small.insert(path.to_owned(), bytes.to_owned());
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    /// Who writes is up to the lock of the folder.
    fn acquire_lock(&self, lock: &Lock) -> std::result::Result<DirectoryLock, LockError> {
        if lock.filepath != META_LOCK.filepath {
            return Ok(DirectoryLock::from(Box::new(())));
        }
        let mut locked = open(self.0.locked.lock());
        while *locked {
            locked = open(self.0.unlocked.wait(locked));
        }
        *locked = true;
        Ok(DirectoryLock::from(Box::new(MetaLock(self.clone()))))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
