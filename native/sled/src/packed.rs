// Packed changes and entries, as src/store/kv/engine.ts describes them. Every length is compared with what is there.

use crate::failure::{Failure, Kind, Result};

/// The group of the bytes of blocks.
pub const BLOCKS: u8 = 2;
pub const GROUP_COUNT: u8 = 3;

/// A value to put, or None to delete, under a group and its key.
pub struct Change<'a> {
    pub group: u8,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// Reads all changes, or fails where they are not well formed.
pub fn changes(mut bytes: &[u8]) -> Result<Vec<Change<'_>>> {
    let mut changes = Vec::new();
    while !bytes.is_empty() {
        let head = take(&mut bytes, 10)?;
        let (group, kind) = (head[0], head[1]);
        let (key_length, value_length) = (length(&head[2..6]), length(&head[6..10]));
        if group >= GROUP_COUNT || kind > 1 || (kind == 0 && value_length != 0) {
            return Err(Failure::new(Kind::Misuse, "changes hold one of no known kind"));
        }
        let key = take(&mut bytes, key_length)?;
        let value = take(&mut bytes, value_length)?;
        changes.push(Change { group, key, value: (kind == 1).then_some(value) });
    }
    Ok(changes)
}

/// Appends an entry of a range.
pub fn append(packed: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    packed.extend_from_slice(&(key.len() as u32).to_le_bytes());
    packed.extend_from_slice(&(value.len() as u32).to_le_bytes());
    packed.extend_from_slice(key);
    packed.extend_from_slice(value);
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    bytes
        .split_off(..length)
        .ok_or_else(|| Failure::new(Kind::Misuse, "changes end in the middle of one"))
}

fn length(bytes: &[u8]) -> usize {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}
