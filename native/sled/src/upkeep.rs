// Compaction and the check. sled cannot compact: everything is copied into a new database beside, while batches go on in the
// old one; what they have changed is copied again, at last with batches stopped, and the new one takes its place.

use crate::database::Database;
use crate::failure::{Failure, Kind, Result, guarded};
use crate::live::Live;
use crate::values;
use sled::IVec;
use std::collections::BTreeSet;
use std::fs;

/// So much is read from a tree at once. Batches wait as long.
const PAGE_ENTRIES: usize = 500;
const PAGE_BYTES: usize = 1024 * 1024;
/// So many changed keys may be left for the end, when batches wait for all of it.
const LAST_KEYS_MAX: usize = 500;
const FINDINGS_MAX: usize = 100;

/// A key of the tree and its value, or why that cannot be read.
type Entry = (IVec, Result<Vec<u8>>);

impl Database {
    /// May be killed anywhere: the folder that CURRENT names is whole, and what else is there goes at the next open.
    /// With `anew` the copy takes its place also where it is no smaller.
    pub fn compact(&self, anew: bool) -> Result<()> {
        self.assert_writable()?;
        let _compacting = self.compacting.lock().unwrap_or_else(|poison| poison.into_inner());
        self.assert_open()?;
        self.write_state().changed = Some(BTreeSet::new());
        let result = guarded(|| self.copy_and_switch(anew));
        self.write_state().changed = None;
        // What cannot be removed now is removed at the next open.
        let _ = self.folder.current().and_then(|current| self.folder.tidy(current));
        result
    }

    fn copy_and_switch(&self, anew: bool) -> Result<()> {
        // The copy may need what is reserved behind the log.
        let is_cramped = self.read_state().live()?.is_cramped()?;
        if is_cramped {
            self.reopen()?;
        }
        let number = self.read_state().number + 1;
        let path = self.folder.at(number);
        if path.try_exists()? {
            fs::remove_dir_all(&path)?;
        }
        let copy = Live::open(&path, self.cache_bytes)?;
        self.copy_all(&copy)?;
        loop {
            let keys = self.take_changed(LAST_KEYS_MAX);
            if keys.is_empty() {
                break;
            }
            self.copy_keys(&copy, keys)?;
        }
        copy.flush_all()?;
        // A log in order is up to three times what it holds: sled frees segments only as it goes on writing.
        if !anew && copy.bytes()? >= self.read_state().live()?.bytes()? {
            return copy.close();
        }

        let _stopped = self.stop_changes();
        let keys = self.take_changed(0);
        self.copy_keys(&copy, keys)?;
        copy.flush_all()?;
        let switched = self.folder.switch(number);
        if switched.is_err() && self.folder.current()? != Some(number) {
            return switched;
        }
        let mut state = self.write_state();
        let old = state.live.replace(copy);
        state.number = number;
        drop(state);
        old.map_or(Ok(()), Live::close)?;
        switched
    }

    fn copy_all(&self, copy: &Live) -> Result<()> {
        let mut from = Vec::new();
        loop {
            self.assert_open()?;
            let page = self.page(&from)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            from = successor(last);
            for (key, value) in page {
                copy.put(&key, &value?)?;
            }
        }
    }

    /// Brings keys of the tree in the copy to what they are now.
    fn copy_keys(&self, copy: &Live, keys: BTreeSet<Vec<u8>>) -> Result<()> {
        for key in keys {
            self.assert_open()?;
            match values::read(self.read_state().live()?, &key, <[u8]>::to_vec)? {
                Some(value) => copy.put(&key, &value)?,
                None => {
                    copy.remove(key)?;
                }
            }
        }
        Ok(())
    }

    /// What batches have changed since it was last asked; nothing if that is not more than `most_left`.
    fn take_changed(&self, most_left: usize) -> BTreeSet<Vec<u8>> {
        match &mut self.write_state().changed {
            Some(changed) if changed.len() > most_left => std::mem::take(changed),
            _ => BTreeSet::new(),
        }
    }

    /// Entries of the tree from a key on.
    fn page(&self, from: &[u8]) -> Result<Vec<Entry>> {
        let state = self.read_state();
        let live = state.live()?;
        let mut page = Vec::new();
        let mut bytes = 0;
        for entry in live.range(from..) {
            let (key, entry) = entry?;
            let value = values::open(live, &entry, <[u8]>::to_vec);
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            page.push((key, value));
            if page.len() >= PAGE_ENTRIES || bytes >= PAGE_BYTES {
                break;
            }
        }
        Ok(page)
    }

    /// Reads everything: what is wrong, in words.
    pub fn verify(&self) -> Result<Vec<String>> {
        let mut findings = Vec::new();
        let mut from = Vec::new();
        while findings.len() < FINDINGS_MAX {
            self.assert_open()?;
            let page = match guarded(|| self.page(&from)) {
                Ok(page) => page,
                Err(failure) => {
                    note(&mut findings, failure)?;
                    break;
                }
            };
            let Some((last, _)) = page.last() else { break };
            from = successor(last);
            for (_, value) in page {
                if let Err(failure) = value {
                    note(&mut findings, failure)?;
                }
            }
        }
        Ok(findings)
    }
}

/// Damage is a finding, all else ends the check.
fn note(findings: &mut Vec<String>, failure: Failure) -> Result<()> {
    if failure.kind != Kind::Corrupt {
        return Err(failure);
    }
    findings.push(failure.message);
    Ok(())
}

/// The first key behind a key.
fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
