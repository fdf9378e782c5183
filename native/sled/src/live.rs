// One open database of sled, with what sled leaves undone: it calls a commit durable that no disk was asked to keep, takes
// errors of its log too late, and may wait for ever after one.

use crate::failure::Result;
use crate::folder::sync;
use crate::heap::{Heap, Place};
use crate::power;
use crate::room;
use crate::values::Kept;
use crate::watch::Watch;
use sled::{Db, Mode, Tree};
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

pub const SEGMENT_BYTES: usize = 8 * 1024 * 1024;
/// sled divides its cache by 256, and what is larger than such a part is read anew each time: a leaf of inline extents fits.
const CACHE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// A batch rewrites the leaves that it changes, and begins segments: 8 MiB of values made the log grow by 25 MiB at most, 100 KB
/// of rows by 6.
const ROOM_FACTOR: u64 = 4;
const ROOM_BYTES: u64 = 2 * SEGMENT_BYTES as u64;
/// A small batch may go further, so that something can still be deleted.
const SMALL_BATCH_BYTES: u64 = 256 * 1024;
const SMALL_BATCH_ROOM_BYTES: u64 = SEGMENT_BYTES as u64;
/// So much more is reserved at a time, where there is room, that small batches seldom have to.
const ROOM_AHEAD_BYTES: u64 = SEGMENT_BYTES as u64;
const UNLOCK_PATIENCE: Duration = Duration::from_secs(5);

/// What a batch makes of keys of the tree; None deletes.
pub type Last<'a> = BTreeMap<Vec<u8>, Option<Kept<'a>>>;

pub struct Live {
    /// Ends first: it holds the database, too.
    watch: Watch,
    db: Db,
    pub heap: Heap,
    /// sled's log, to sync it and to make room in it.
    log: File,
}

impl Deref for Live {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.db
    }
}

impl Live {
    /// Opens what is in the folder, or makes it.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self> {
        let config = sled::Config::new()
            .path(path)
            .mode(Mode::LowSpace)
            .cache_capacity(cache_bytes.max(CACHE_BYTES_MIN))
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(None);
        power::remove_begun(path)?;
        let begun = Instant::now();
        let db = loop {
            match config.open() {
                Ok(db) => break db,
                // Threads of sled may hold on to its lock for a moment after it was closed; ours says that we may have it.
                Err(sled::Error::Io(error))
                    if error.to_string().contains("lock") && begun.elapsed() < UNLOCK_PATIENCE =>
                {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        };
        let log = File::options().read(true).write(true).open(path.join("db"))?;
        log.sync_all()?;
        power::sync_made(path)?;
        let heap = Heap::open(path)?;
        sync(path)?;
        let watch = Watch::start(db.clone())?;
        Ok(Self { watch, db, heap, log })
    }

    /// Reserves disk space for a batch, of which `far` bytes go to the heap and `near` into the tree, so that sled itself never
    /// meets a full disk.
    pub fn reserve(&self, near: u64, far: u64) -> Result<()> {
        if far > 0 {
            self.heap.reserve(far)?;
        }
        let margin = if near + far <= SMALL_BATCH_BYTES { SMALL_BATCH_ROOM_BYTES } else { ROOM_BYTES };
        let room = near.saturating_mul(ROOM_FACTOR).saturating_add(margin);
        if self.log_reserved()? >= room {
            return Ok(());
        }
        room::reserve(&self.log, self.log.metadata()?.len(), room + ROOM_AHEAD_BYTES)
            .or_else(|_| room::reserve(&self.log, self.log.metadata()?.len(), room))
    }

    /// Makes room for a batch and puts its far values into the heap, durably; their places in the order of their keys.
    pub fn keep_far(&self, last: &Last<'_>) -> Result<Vec<Place>> {
        let (mut near, mut far) = (0, 0);
        for (key, value) in last {
            let length = value.as_ref().map_or(0, Kept::len);
            let is_far = value.as_ref().is_some_and(|kept| kept.far().is_some());
            near += key.len();
            *if is_far { &mut far } else { &mut near } += length;
        }
        self.reserve(near as u64, far as u64)?;
        if far == 0 {
            return Ok(Vec::new());
        }
        let end = self.heap.len();
        let values = last.values().flatten().filter_map(Kept::far);
        let kept = values.map(|value| self.heap.append(value)).collect::<Result<Vec<_>>>();
        kept.and_then(|places| self.heap.sync().map(|()| places)).inspect_err(|_| self.heap.cut(end))
    }

    /// Puts a value under a key of the tree, beside no batch: into a copy that nobody reads yet.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let kept = Kept::new(key[0], value);
        let far = kept.far().map_or(0, <[u8]>::len);
        self.reserve((key.len() + kept.len() - far) as u64, far as u64)?;
        let place = kept.far().map(|bytes| self.heap.append(bytes)).transpose()?;
        self.db.insert(key, kept.entry(place))?;
        Ok(())
    }

    /// Closes it, and gives back what was reserved and not used.
    pub fn close(self) -> Result<()> {
        self.flush()?;
        let Self { watch, db, heap, log } = self;
        drop(watch);
        // Not before: sled writes in threads of its own, and what it appends between a look at the length and the cut would be lost.
        drop(db);
        heap.close()?;
        Ok(log.set_len(log.metadata()?.len())?)
    }

    /// What is reserved on the disk behind the ends of files.
    pub fn reserved(&self) -> Result<u64> {
        Ok(self.log_reserved()? + self.heap.reserved())
    }

    fn log_reserved(&self) -> Result<u64> {
        let about = self.log.metadata()?;
        Ok((about.blocks() * 512).saturating_sub(about.len()))
    }

    /// True while the disk has less room than this takes.
    pub fn is_cramped(&self) -> Result<bool> {
        Ok(room::left(&self.log)? < self.bytes()?)
    }

    /// Makes everything that was done durable: what sled flushes is synced (power.rs).
    pub fn flush(&self) -> Result<()> {
        self.watched(|| Ok(self.db.flush()?)).map(drop)
    }

    /// The same, where values were put into the heap since.
    pub fn flush_all(&self) -> Result<()> {
        self.heap.sync()?;
        self.flush()
    }

    /// Runs a call that waits for sled's log.
    pub fn watched<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        self.watch.call(call)
    }

    /// What sled's log takes on the disk.
    pub fn log_bytes(&self) -> Result<u64> {
        Ok(self.db.size_on_disk()?)
    }

    /// What all of it takes.
    pub fn bytes(&self) -> Result<u64> {
        Ok(self.log_bytes()? + self.heap.bytes()?)
    }
}
