// A vault: the live database, its views, and the order of what changes it. Reads run on any thread beside each other and
// never beside the applying of a batch, so that none sees a part of it. What takes long (syncing, copying) locks nobody out.

use crate::failure::{Failure, Kind, Result, guarded};
use crate::folder::Folder;
use crate::heap::Place;
use crate::live::{Last, Live, SEGMENT_BYTES};
use crate::packed::Change;
use crate::range::{self, Range};
use crate::values::{self, Kept};
use crate::views::{Old, Views};
use sled::Batch;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub struct Database {
    pub(crate) folder: Folder,
    pub(crate) cache_bytes: u64,
    read_only: bool,
    state: RwLock<State>,
    turns: Mutex<Turns>,
    turned: Condvar,
    /// Held by the one batch or switch that is under way, from its first change until it is durable.
    changing: Mutex<()>,
    pub(crate) compacting: Mutex<()>,
    closing: AtomicBool,
}

pub(crate) struct State {
    /// None once closed, or while it could not be opened again after a failure.
    pub live: Option<Live>,
    pub number: u64,
    pub views: Views,
    /// The keys of the tree that batches have changed, while a compaction wants to know.
    pub changed: Option<BTreeSet<Vec<u8>>>,
}

#[derive(Default)]
struct Turns {
    given: u64,
    current: u64,
}

/// A place in the order of what changes a vault.
pub struct Turn(u64);

pub struct Figures {
    pub bytes: u64,
    pub log_bytes: u64,
    pub value_bytes: u64,
    pub reserved_bytes: u64,
    pub segments: u64,
    pub views: usize,
    pub view_bytes: usize,
}

fn open<T>(result: std::result::Result<T, PoisonError<T>>) -> T {
    // Who panicked has left the tree whole: sled's own pages are what it panics about.
    result.unwrap_or_else(PoisonError::into_inner)
}

impl Database {
    pub fn open(path: &Path, create: bool, read_only: bool, cache_bytes: u64) -> Result<Self> {
        let folder = Folder::open(path, create)?;
        let current = folder.current()?;
        folder.tidy(current)?;
        let number = current.unwrap_or(Folder::next(None));
        let live = guarded(|| Live::open(&folder.at(number), cache_bytes))?;
        if current.is_none() {
            live.flush()?;
            folder.switch(number)?;
        }
        let state = State { live: Some(live), number, views: Views::default(), changed: None };
        Ok(Self {
            folder,
            cache_bytes,
            read_only,
            state: RwLock::new(state),
            turns: Mutex::default(),
            turned: Condvar::new(),
            changing: Mutex::new(()),
            compacting: Mutex::new(()),
            closing: AtomicBool::new(false),
        })
    }

    pub fn get<T>(&self, view: Option<u32>, group: u8, key: &[u8], take: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        self.assert_open()?;
        let state = self.read_state();
        let key = values::tree_key(group, key);
        if let Some(value) = state.old(view)?.and_then(|old| old.get(&key)) {
            return Ok(value.as_deref().map(take));
        }
        guarded(|| values::read(state.live()?, &key, take))
    }

    pub fn range(&self, view: Option<u32>, range: &Range<'_>) -> Result<Vec<u8>> {
        self.assert_open()?;
        let state = self.read_state();
        guarded(|| range::read(state.live()?, state.old(view)?, range))
    }

    /// Takes a place behind all turns given so far. Whoever has one must end it, by `write` or `close`.
    pub fn turn(&self) -> Turn {
        let mut turns = open(self.turns.lock());
        turns.given += 1;
        Turn(turns.given - 1)
    }

    /// Applies changes as one batch in its turn; it is durable, or nothing of it is there.
    pub fn write(&self, turn: Turn, changes: Result<Vec<Change<'_>>>) -> Result<()> {
        self.in_turn(turn, || {
            let changes = changes?;
            // A key counts once, with its last value.
            let last: Last<'_> = changes
                .iter()
                .map(|Change { group, key, value }| {
                    (values::tree_key(*group, key), value.map(|value| Kept::new(*group, value)))
                })
                .collect();
            let _changing = open(self.changing.lock());
            self.recover()?;
            let places = self.read_state().live()?.keep_far(&last)?;
            let result = guarded(|| {
                let released = self.apply(last, places)?;
                let state = self.read_state();
                state.live()?.flush()?;
                state.live()?.heap.release(released);
                Ok(())
            });
            if result.is_err() {
                // Whatever sled holds in memory now may differ from what it has on disk.
                self.write_state().live = None;
                let _ = self.recover();
            }
            result
        })
    }

    /// `places` are those of the far values in the order of their keys. Returns those that are of no use once it is durable.
    fn apply(&self, last: Last<'_>, places: Vec<Place>) -> Result<Vec<Place>> {
        let mut places = places.into_iter();
        let mut released = Vec::new();
        let mut batch = Batch::default();
        let mut state = self.write_state();
        let State { live, views, changed, .. } = &mut *state;
        let live = live.as_ref().ok_or_else(Failure::closed)?;
        for (key, value) in last {
            if views.want(&key) {
                views.save(&key, values::read(live, &key, |value| Arc::from(value))?);
            }
            if let Some(changed) = changed {
                changed.insert(key.clone());
            }
            // What cannot be read is replaced all the same.
            let before = live.get(&key)?.and_then(|entry| values::place_of(&entry).ok().flatten());
            released.extend(before);
            match value {
                None => batch.remove(key),
                Some(kept) => {
                    let place = kept.far().and_then(|_| places.next());
                    batch.insert(key, kept.entry(place));
                }
            }
        }
        live.watched(|| Ok(live.apply_batch(batch)?))?;
        Ok(released)
    }

    /// Opens the database again if a failure has closed it.
    fn recover(&self) -> Result<()> {
        let mut state = self.write_state();
        if state.live.is_none() && !self.is_closing() {
            state.live = Some(guarded(|| Live::open(&self.folder.at(state.number), self.cache_bytes))?);
        }
        Ok(())
    }

    /// Closes the database, which gives back what was reserved and not used, and opens it again. Everybody waits.
    pub(crate) fn reopen(&self) -> Result<()> {
        let _changing = self.stop_changes();
        let mut state = self.write_state();
        let closed = state.live.take().map_or(Ok(()), |live| guarded(|| live.close()));
        state.live = Some(guarded(|| Live::open(&self.folder.at(state.number), self.cache_bytes))?);
        closed
    }

    pub fn view(&self) -> Result<u32> {
        self.assert_open()?;
        Ok(self.write_state().views.open())
    }

    pub fn close_view(&self, view: u32) {
        self.write_state().views.close(view);
    }

    pub fn figures(&self) -> Result<Figures> {
        self.assert_open()?;
        let state = self.read_state();
        let log_bytes = state.live()?.log_bytes()?;
        Ok(Figures {
            bytes: self.folder.bytes(),
            log_bytes,
            value_bytes: state.live()?.heap.bytes()?,
            reserved_bytes: state.live()?.reserved()?,
            segments: log_bytes.div_ceil(SEGMENT_BYTES as u64),
            views: state.views.count(),
            view_bytes: state.views.saved_bytes(),
        })
    }

    /// From now on all calls fail, but what has a turn already.
    pub fn begin_close(&self) -> Result<Turn> {
        if self.closing.swap(true, Ordering::SeqCst) {
            return Err(Failure::closed());
        }
        Ok(self.turn())
    }

    pub fn close(&self, turn: Turn) -> Result<()> {
        self.in_turn(turn, || {
            // A compaction notices that we are closing.
            let _compacting = open(self.compacting.lock());
            let live = self.write_state().live.take();
            let closed = live.map_or(Ok(()), |live| guarded(|| live.close()));
            self.folder.unlock()?;
            closed
        })
    }

    fn in_turn<T>(&self, turn: Turn, act: impl FnOnce() -> T) -> T {
        let mut turns = open(self.turns.lock());
        while turns.current != turn.0 {
            turns = open(self.turned.wait(turns));
        }
        drop(turns);
        let result = act();
        open(self.turns.lock()).current += 1;
        self.turned.notify_all();
        result
    }

    pub(crate) fn assert_open(&self) -> Result<()> {
        if self.is_closing() { Err(Failure::closed()) } else { Ok(()) }
    }

    pub(crate) fn assert_writable(&self) -> Result<()> {
        self.assert_open()?;
        if self.read_only { Err(Failure::new(Kind::Locked, "it was opened to read")) } else { Ok(()) }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(crate) fn read_state(&self) -> RwLockReadGuard<'_, State> {
        open(self.state.read())
    }

    pub(crate) fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        open(self.state.write())
    }

    pub(crate) fn stop_changes(&self) -> MutexGuard<'_, ()> {
        open(self.changing.lock())
    }
}

impl State {
    pub fn live(&self) -> Result<&Live> {
        self.live.as_ref().ok_or_else(|| Failure::new(Kind::Io, "the database failed and could not be opened again"))
    }

    /// The old values of a view; None for no view.
    fn old(&self, view: Option<u32>) -> Result<Option<&Old>> {
        match view {
            None => Ok(None),
            Some(view) => self.views.get(view).map(Some).ok_or_else(Failure::closed),
        }
    }
}
