// Views of what was committed. sled has no snapshots: while a view is open, each batch first saves the old values of the
// keys that it changes, for every view that does not have one yet; the view lays them over the tree. So a view costs
// memory for what changes while it is open, and nothing for what does not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Old values by their key in the tree; None: there was none.
pub type Old = BTreeMap<Vec<u8>, Option<Arc<[u8]>>>;

#[derive(Default)]
pub struct Views {
    last: u32,
    open: HashMap<u32, Old>,
    /// Those of all views together.
    saved_bytes: usize,
}

impl Views {
    pub fn open(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, Old::new());
        self.last
    }

    pub fn close(&mut self, view: u32) {
        for (key, value) in self.open.remove(&view).into_iter().flatten() {
            self.saved_bytes -= cost(&key, value.as_ref());
        }
    }

    pub fn get(&self, view: u32) -> Option<&Old> {
        self.open.get(&view)
    }

    pub fn count(&self) -> usize {
        self.open.len()
    }

    pub fn saved_bytes(&self) -> usize {
        self.saved_bytes
    }

    /// Whether some view would have to save the value of this key before it changes.
    pub fn want(&self, key: &[u8]) -> bool {
        self.open.values().any(|old| !old.contains_key(key))
    }

    pub fn save(&mut self, key: &[u8], value: Option<Arc<[u8]>>) {
        for old in self.open.values_mut() {
            if !old.contains_key(key) {
                self.saved_bytes += cost(key, value.as_ref());
                old.insert(key.to_vec(), value.clone());
            }
        }
    }
}

fn cost(key: &[u8], value: Option<&Arc<[u8]>>) -> usize {
    key.len() + value.map_or(0, |value| value.len())
}
