// Long values, in a file beside sled's tree: a batch appends them before the tree is told where they lie, and nothing is ever
// changed in place. What no entry points to any more gives its room back to the disk at once, and its place in the file when a
// compaction copies the rest. sled itself would write them again with each leaf that it writes.

use crate::failure::{Failure, Kind, Result};
use crate::room;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const NAME: &str = "values";

pub struct Heap {
    file: File,
    /// Where the next value goes. Those who append take turns.
    end: AtomicU64,
    /// Up to here there is room.
    reserved_to: AtomicU64,
}

/// Where a value lies, and what its bytes must add up to.
#[derive(Clone, Copy)]
pub struct Place {
    offset: u64,
    length: u32,
    checksum: u32,
}

impl Place {
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_be_bytes());
        bytes[12..].copy_from_slice(&self.checksum.to_be_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (offset, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let checksum = rest.try_into().ok()?;
        Some(Self {
            offset: u64::from_be_bytes(*offset),
            length: u32::from_be_bytes(*length),
            checksum: u32::from_be_bytes(checksum),
        })
    }

    fn end(self) -> u64 {
        self.offset.saturating_add(u64::from(self.length))
    }
}

impl Heap {
    /// Opens the file in this folder, or makes it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path.join(NAME))?;
        // A batch that was not finished may have left something at the end; nothing is lost but its room.
        let end = file.metadata()?.len();
        Ok(Self { file, end: AtomicU64::new(end), reserved_to: AtomicU64::new(end) })
    }

    pub fn reserve(&self, bytes: u64) -> Result<()> {
        let end = self.end.load(Ordering::SeqCst);
        room::reserve(&self.file, end, bytes)?;
        self.reserved_to.fetch_max(end + bytes, Ordering::SeqCst);
        Ok(())
    }

    /// Appends a value; it is durable after `sync`.
    pub fn append(&self, value: &[u8]) -> Result<Place> {
        let length = u32::try_from(value.len()).map_err(|_| Failure::new(Kind::Misuse, "a value is too long"))?;
        let offset = self.end.load(Ordering::SeqCst);
        self.file.write_all_at(value, offset)?;
        self.end.store(offset + u64::from(length), Ordering::SeqCst);
        Ok(Place { offset, length, checksum: crc32fast::hash(value) })
    }

    /// Forgets what was appended behind a length that `len` gave.
    pub fn cut(&self, length: u64) {
        self.end.store(length, Ordering::SeqCst);
        self.reserved_to.store(length, Ordering::SeqCst);
        // What stays is written over.
        let _ = self.file.set_len(length);
    }

    pub fn len(&self) -> u64 {
        self.end.load(Ordering::SeqCst)
    }

    pub fn read(&self, place: Place) -> Result<Vec<u8>> {
        if place.end() > self.len() {
            return Err(Failure::new(Kind::Corrupt, "a value lies behind the end of its file"));
        }
        let mut value = vec![0; place.length as usize];
        self.file.read_exact_at(&mut value, place.offset)?;
        if crc32fast::hash(&value) == place.checksum {
            Ok(value)
        } else {
            Err(Failure::new(Kind::Corrupt, format!("the checksum of a value at {} is wrong", place.offset)))
        }
    }

    /// Gives the room of values back to which nothing points, durably, any more.
    pub fn release(&self, mut places: Vec<Place>) {
        places.sort_unstable_by_key(|place| place.offset);
        for together in places.chunk_by(|one, next| one.end() == next.offset) {
            let (first, last) = (together[0], together[together.len() - 1]);
            // Else it stays until a compaction.
            let _ = room::give_back(&self.file, first.offset, last.end() - first.offset);
        }
    }

    pub fn sync(&self) -> Result<()> {
        Ok(self.file.sync_data()?)
    }

    /// Gives back what was reserved and not used.
    pub fn close(self) -> Result<()> {
        Ok(self.file.set_len(self.len())?)
    }

    /// What it takes on the disk.
    pub fn bytes(&self) -> Result<u64> {
        Ok((self.file.metadata()?.blocks() * 512).saturating_sub(self.reserved()))
    }

    /// What is reserved on the disk behind its end.
    pub fn reserved(&self) -> u64 {
        self.reserved_to.load(Ordering::SeqCst).saturating_sub(self.len())
    }
}
