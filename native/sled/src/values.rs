// How keys and values lie in sled's one tree:
//
//   u8 group, key                                          u8 0, value            a value of up to PIECE_BYTES
//   u8 group, key                                          u8 1, u32 length       a longer one, whose bytes are pieces
//   u8 PIECES + group, u32 key length, key, u16 number     PIECE_BYTES of it      (numbers are big-endian, lengths too)
//
// A leaf of sled holds up to 16 values and is written and read as a whole; above a quarter of a segment it would become a file
// that sled never syncs. Hence the pieces.

use crate::failure::{Failure, Kind, Result};
use sled::{Batch, IVec, Tree};

pub const PIECE_BYTES: usize = 16 * 1024;
pub const PIECES: u8 = 0x80;
const WHOLE: u8 = 0;
const SPLIT: u8 = 1;

/// The key of a value in the tree.
pub fn tree_key(group: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len());
    bytes.push(group);
    bytes.extend_from_slice(key);
    bytes
}

/// The value that an entry of the tree stands for.
pub fn value_of(tree: &Tree, key: &[u8], entry: &IVec) -> Result<Vec<u8>> {
    match split_length(entry)? {
        None => Ok(entry[1..].to_vec()),
        Some(length) => read_pieces(tree, key, length),
    }
}

/// Hands the value under a key of the tree to `take`, without a copy where it is stored whole; None: there is none.
pub fn read<T>(tree: &Tree, key: &[u8], take: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
    let Some(entry) = tree.get(key)? else { return Ok(None) };
    Ok(Some(match split_length(&entry)? {
        None => take(&entry[1..]),
        Some(length) => take(&read_pieces(tree, key, length)?),
    }))
}

/// Adds to a batch what puts a value under a key (None: deletes it), and the end of the value that is there now.
pub fn write(tree: &Tree, batch: &mut Changed<'_>, key: &[u8], value: Option<&[u8]>) -> Result<()> {
    let pieces_before = match tree.get(key)? {
        // What cannot be read is replaced all the same.
        Some(entry) => split_length(&entry).ok().flatten().map_or(0, piece_count),
        None => 0,
    };
    let mut pieces = 0;
    match value {
        None => batch.remove(key.to_vec()),
        Some(value) if value.len() <= PIECE_BYTES => {
            batch.insert(key.to_vec(), [&[WHOLE], value].concat());
        }
        Some(value) => {
            batch.insert(key.to_vec(), [&[SPLIT][..], &(value.len() as u32).to_be_bytes()].concat());
            for piece in value.chunks(PIECE_BYTES) {
                batch.insert(piece_key(key, pieces), piece.to_vec());
                pieces += 1;
            }
        }
    }
    for number in pieces..pieces_before {
        batch.remove(piece_key(key, number));
    }
    Ok(())
}

/// A batch of sled that tells of each key it gets.
pub struct Changed<'a> {
    pub batch: Batch,
    pub note: &'a mut dyn FnMut(&[u8]),
}

impl Changed<'_> {
    fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        (self.note)(&key);
        self.batch.insert(key, value);
    }

    fn remove(&mut self, key: Vec<u8>) {
        (self.note)(&key);
        self.batch.remove(key);
    }
}

/// The key in the tree of the value that a piece belongs to, and the piece's number; None for what is no key of a piece.
pub fn owner_of(piece: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (group, rest) = piece.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (key, number) = rest.split_last_chunk::<2>()?;
    if key.len() != u32::from_be_bytes(*length) as usize {
        return None;
    }
    Some((tree_key(group.checked_sub(PIECES)?, key), u16::from_be_bytes(*number) as usize))
}

/// How many pieces an entry of the tree has.
pub fn pieces_of(entry: &IVec) -> Result<usize> {
    Ok(split_length(entry)?.map_or(0, piece_count))
}

fn split_length(entry: &IVec) -> Result<Option<usize>> {
    match **entry {
        [WHOLE, ..] => Ok(None),
        [SPLIT, a, b, c, d] => Ok(Some(u32::from_be_bytes([a, b, c, d]) as usize)),
        _ => Err(Failure::new(Kind::Corrupt, "an entry that is neither whole nor split")),
    }
}

fn piece_count(length: usize) -> usize {
    length.div_ceil(PIECE_BYTES)
}

/// `key` is that in the tree, with its group.
fn piece_key(key: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = piece_prefix(key);
    bytes.extend_from_slice(&(number as u16).to_be_bytes());
    bytes
}

fn piece_prefix(key: &[u8]) -> Vec<u8> {
    let (group, key) = (key[0], &key[1..]);
    let mut bytes = Vec::with_capacity(7 + key.len());
    bytes.push(PIECES + group);
    bytes.extend_from_slice(&(key.len() as u32).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes
}

fn read_pieces(tree: &Tree, key: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut value = Vec::with_capacity(length);
    let prefix = piece_prefix(key);
    for (number, piece) in tree.scan_prefix(&prefix).take(piece_count(length)).enumerate() {
        let (piece_key, piece) = piece?;
        if piece_key[prefix.len()..] != (number as u16).to_be_bytes() {
            break;
        }
        value.extend_from_slice(&piece);
    }
    if value.len() == length {
        Ok(value)
    } else {
        Err(Failure::new(Kind::Corrupt, "a value misses a piece"))
    }
}
