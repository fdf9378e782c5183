// One open database of sled, with what sled leaves undone: it calls a commit durable that no disk was asked to keep, takes
// errors of its log too late, and may wait for ever after one.

use crate::failure::{Failure, Kind, Result};
use crate::folder::sync;
use sled::{Db, Mode, Tree};
use std::fs::File;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

pub const SEGMENT_BYTES: usize = 8 * 1024 * 1024;
/// sled divides its cache by 256, and what is larger than such a part is read anew each time: a leaf of pieces fits.
const CACHE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// A level above costs more time than it saves room; most bytes are blocks, which are compressed already.
const ZSTD_LEVEL: i32 = 1;
/// A batch rewrites the leaves that it changes, and begins segments: 8 MiB of blocks made the log grow by 25 MiB at most, 100 KB
/// of rows by 6.
const ROOM_FACTOR: u64 = 4;
const ROOM_BYTES: u64 = 2 * SEGMENT_BYTES as u64;
/// A small batch may go further, so that something can still be deleted.
const SMALL_BATCH_BYTES: u64 = 256 * 1024;
const SMALL_BATCH_ROOM_BYTES: u64 = SEGMENT_BYTES as u64;
const UNLOCK_PATIENCE: Duration = Duration::from_secs(5);
const STUCK_AFTER: Duration = Duration::from_secs(2);

pub struct Live {
    db: Db,
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
            .use_compression(true)
            .compression_factor(ZSTD_LEVEL)
            .flush_every_ms(None);
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
        sync(path)?;
        Ok(Self { db, log })
    }

    /// Reserves disk space for a batch of some bytes behind the log's end, so that sled itself never meets a full disk.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        let end = self.log.metadata()?.len();
        let margin = if bytes <= SMALL_BATCH_BYTES { SMALL_BATCH_ROOM_BYTES } else { ROOM_BYTES };
        let room = bytes.saturating_mul(ROOM_FACTOR).saturating_add(margin);
        let (end, room) = (end as libc::off_t, room as libc::off_t);
        // SAFETY: plain numbers, and a descriptor that lives as long as self.
        let done = unsafe { libc::fallocate(self.log.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, end, room) };
        if done == 0 {
            return Ok(());
        }
        let error = std::io::Error::last_os_error();
        // A file system that cannot reserve will say so when it is full.
        if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINTR)) {
            return Ok(());
        }
        Err(error.into())
    }

    /// Closes it, and gives back what was reserved and not used.
    pub fn close(self) -> Result<()> {
        self.flush()?;
        let Self { db, log } = self;
        // Not before: sled writes in threads of its own, and what it appends between a look at the length and the cut would be lost.
        drop(db);
        Ok(log.set_len(log.metadata()?.len())?)
    }

    /// What is reserved on the disk behind the log's end.
    pub fn reserved(&self) -> Result<u64> {
        let about = self.log.metadata()?;
        Ok((about.blocks() * 512).saturating_sub(about.len()))
    }

    /// True while the disk has less room than the log takes.
    pub fn is_cramped(&self) -> Result<bool> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut disk: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: a descriptor that lives as long as self, and a place that is written during the call alone.
        if unsafe { libc::fstatvfs(self.log.as_raw_fd(), &raw mut disk) } != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        Ok(disk.f_bavail * disk.f_frsize < self.log.metadata()?.len())
    }

    /// Makes everything that was done durable.
    pub fn flush(&self) -> Result<()> {
        self.watched(|| Ok(self.db.flush()?))?;
        Ok(self.log.sync_data()?)
    }

    /// Runs a call that waits for sled's log. After an error there, sled wakes nobody until the next one asks.
    pub fn watched<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let (done, is_done) = channel::<()>();
        let db = &self.db;
        thread::scope(|scope| {
            let watch = move || {
                while is_done.recv_timeout(STUCK_AFTER) == Err(RecvTimeoutError::Timeout) {
                    let _ = db.flush();
                }
            };
            thread::Builder::new()
                .name("avfs-sled-watch".into())
                .spawn_scoped(scope, watch)
                .map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
            let result = call();
            drop(done);
            result
        })
    }

    pub fn size_on_disk(&self) -> Result<u64> {
        Ok(self.db.size_on_disk()?)
    }
}
