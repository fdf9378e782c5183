// Ranges: the entries of the tree, and those of a view merged from the tree and the old values that hide parts of it.

use crate::failure::Result;
use crate::live::Live;
use crate::packed::append;
use crate::values::{open, tree_key};
use crate::views::Old;
use sled::IVec;
use std::cmp::Ordering;
use std::sync::Arc;

pub struct Range<'a> {
    pub group: u8,
    pub gte: &'a [u8],
    pub lt: Option<&'a [u8]>,
    pub reverse: bool,
    pub limit: u64,
    pub bytes: u64,
}

/// The packed entries of a range; `old` are the values of a view.
pub fn read(live: &Live, old: Option<&Old>, range: &Range<'_>) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    let low = tree_key(range.group, range.gte);
    let high = match range.lt {
        Some(lt) => tree_key(range.group, lt),
        None => vec![range.group + 1],
    };
    if low >= high || range.limit == 0 {
        return Ok(packed);
    }
    let now = live.range(low.clone()..high.clone());
    let none = Old::new();
    let then = old.unwrap_or(&none).range(low..high);
    if range.reverse {
        pack(live, now.rev(), then.rev(), range, &mut packed)?;
    } else {
        pack(live, now, then, range, &mut packed)?;
    }
    Ok(packed)
}

/// Takes from two sequences in the range's order, where the second hides entries of the first with the same key.
fn pack<'a>(
    live: &Live,
    now: impl Iterator<Item = sled::Result<(IVec, IVec)>>,
    then: impl Iterator<Item = (&'a Vec<u8>, &'a Option<Arc<[u8]>>)>,
    range: &Range<'_>,
    packed: &mut Vec<u8>,
) -> Result<()> {
    let mut now = now.peekable();
    let mut then = then.peekable();
    let mut count = 0;
    while count < range.limit && (count == 0 || (packed.len() as u64) < range.bytes) {
        let order = match (now.peek(), then.peek()) {
            (None, None) => break,
            (Some(_), None) | (Some(Err(_)), _) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(Ok((key, _))), Some((old_key, _))) => {
                let order = key[..].cmp(old_key);
                if range.reverse { order.reverse() } else { order }
            }
        };
        if order == Ordering::Less {
            if let Some(entry) = now.next() {
                let (key, entry) = entry?;
                open(live, &entry, |value| append(packed, &key[1..], value))?;
                count += 1;
            }
            continue;
        }
        if order == Ordering::Equal {
            now.next();
        }
        if let Some((key, Some(value))) = then.next() {
            append(packed, &key[1..], value);
            count += 1;
        }
    }
    Ok(())
}
