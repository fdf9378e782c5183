// How keys and values lie in sled's one tree, numbers big-endian:
//
//   u8 group, key    u8 0, bytes                     a value of up to NEAR_BYTES
//   u8 group, key    u8 1, place                     a longer one, whose bytes are in the heap (heap.rs)
//   u8 group, key    u8 2, u32 length, bytes         the same packed by zstd; the length is that of the value
//   u8 group, key    u8 3, u32 length, place
//
// A leaf of sled holds up to 16 values and is written and read as a whole; above a quarter of a segment it would become a file
// that sled never syncs. sled could pack leaves, but makes everything that zstd needs anew for each.

use crate::failure::{Failure, Kind, Result};
use crate::heap::Place;
use crate::live::Live;
use crate::packed::BLOCKS;
use sled::IVec;
use std::borrow::Cow;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// An inline extent stays in the tree, so that a small commit syncs one file.
const NEAR_BYTES: usize = 8 * 1024;
/// Below, there is little to gain. Blocks are packed already.
const PACKED_FROM_BYTES: usize = 512;
/// A level above costs more time than it saves room.
const ZSTD_LEVEL: i32 = 1;
/// No value is longer; packed ones say how long they are before they can be checked.
const VALUE_BYTES_MAX: u32 = 64 * 1024 * 1024;
const NEAR: u8 = 0;
const FAR: u8 = 1;
const PACKED: u8 = 2;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The key of a value in the tree.
pub fn tree_key(group: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len());
    bytes.push(group);
    bytes.extend_from_slice(key);
    bytes
}

/// A value as it is kept.
pub struct Kept<'a> {
    /// The value's own length, if it was packed.
    length: Option<u32>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Kept<'a> {
    pub fn new(group: u8, value: &'a [u8]) -> Self {
        let packed = if group == BLOCKS || value.len() < PACKED_FROM_BYTES { None } else { pack(value) };
        match packed {
            Some(packed) => Self { length: Some(value.len() as u32), bytes: packed.into() },
            None => Self { length: None, bytes: value.into() },
        }
    }

    /// The bytes, if they go to the heap.
    pub fn far(&self) -> Option<&[u8]> {
        (self.bytes.len() > NEAR_BYTES).then_some(&self.bytes)
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The entry of the tree; `place` is where the bytes are if they are far.
    pub fn entry(&self, place: Option<Place>) -> Vec<u8> {
        let far = place.map(Place::to_bytes);
        let bytes = far.as_ref().map_or(&self.bytes[..], |place| &place[..]);
        let kind = if far.is_some() { FAR } else { NEAR };
        match self.length {
            None => [&[kind], bytes].concat(),
            Some(length) => [&[PACKED | kind], &length.to_be_bytes()[..], bytes].concat(),
        }
    }
}

/// What an entry of the tree says: the value's length if it is packed, whether its bytes are far, and they or their place.
fn parts(entry: &[u8]) -> Result<(Option<u32>, bool, &[u8])> {
    match entry {
        [kind @ (NEAR | FAR), rest @ ..] => Ok((None, *kind == FAR, rest)),
        [kind, a, b, c, d, rest @ ..] if kind & !FAR == PACKED => {
            Ok((Some(u32::from_be_bytes([*a, *b, *c, *d])), kind & FAR != 0, rest))
        }
        _ => Err(damaged("an entry that is of no known kind")),
    }
}

/// Where the bytes of an entry lie, if that is in the heap.
pub fn place_of(entry: &[u8]) -> Result<Option<Place>> {
    let (_, is_far, bytes) = parts(entry)?;
    if is_far { place_in(bytes).map(Some) } else { Ok(None) }
}

fn place_in(bytes: &[u8]) -> Result<Place> {
    Place::from_bytes(bytes).ok_or_else(|| damaged("an entry that is of no known kind"))
}

/// Hands the value that an entry of the tree stands for to `take`.
pub fn open<T>(live: &Live, entry: &IVec, take: impl FnOnce(&[u8]) -> T) -> Result<T> {
    let (length, is_far, bytes) = parts(entry)?;
    let bytes = if is_far { Cow::from(live.heap.read(place_in(bytes)?)?) } else { bytes.into() };
    Ok(match length {
        None => take(&bytes),
        Some(length) => take(&unpack(&bytes, length)?),
    })
}

/// The same of the value under a key of the tree; None: there is none.
pub fn read<T>(live: &Live, key: &[u8], take: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
    live.get(key)?.map(|entry| open(live, &entry, take)).transpose()
}

/// None where packing does not make it smaller.
fn pack(value: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        if compressor.is_none() {
            *compressor = Compressor::new(ZSTD_LEVEL).ok();
        }
        let packed = compressor.as_mut()?.compress(value).ok()?;
        (packed.len() < value.len() / 8 * 7).then_some(packed)
    })
}

fn unpack(bytes: &[u8], length: u32) -> Result<Vec<u8>> {
    let value = DECOMPRESSOR.with_borrow_mut(|decompressor| -> Result<Vec<u8>> {
        if decompressor.is_none() {
            *decompressor = Some(Decompressor::new()?);
        }
        match decompressor {
            Some(decompressor) if length <= VALUE_BYTES_MAX => {
                decompressor.decompress(bytes, length as usize).map_err(|error| damaged(&error.to_string()))
            }
            _ => Err(damaged("a packed value is too long")),
        }
    })?;
    if value.len() == length as usize { Ok(value) } else { Err(damaged("a packed value has another length")) }
}

fn damaged(what: &str) -> Failure {
    Failure::new(Kind::Corrupt, what)
}
