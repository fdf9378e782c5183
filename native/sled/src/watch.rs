// Calls that wait for sled's log are watched: after an error there, sled wakes nobody until the next one asks. One thread asks
// for whoever has waited too long; it sleeps while nobody calls.

use crate::failure::Result;
use sled::Db;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const STUCK_AFTER: Duration = Duration::from_secs(2);

pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    calls: u64,
    is_calling: bool,
    is_asleep: bool,
    is_closing: bool,
}

impl Watch {
    pub fn start(db: Db) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = thread::Builder::new().name("avfs-sled-watch".into()).spawn(move || theirs.watch(&db))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Runs a call that waits for sled's log. There is one at a time.
    pub fn call<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut seen = self.shared.lock();
        seen.calls += 1;
        seen.is_calling = true;
        if seen.is_asleep {
            self.shared.changed.notify_one();
        }
        drop(seen);
        // Also where sled panics.
        let _called = Called(&self.shared);
        call()
    }
}

struct Called<'a>(&'a Shared);

impl Drop for Called<'_> {
    fn drop(&mut self) {
        self.0.lock().is_calling = false;
    }
}

impl Shared {
    fn watch(&self, db: &Db) {
        let mut seen = self.lock();
        while !seen.is_closing {
            let calls = seen.calls;
            if seen.is_calling {
                seen = self.rest(seen);
                if seen.is_calling && seen.calls == calls {
                    drop(seen);
                    let _ = db.flush();
                    seen = self.lock();
                }
                continue;
            }
            seen = self.rest(seen);
            if seen.calls == calls && !seen.is_closing {
                seen.is_asleep = true;
                seen = self.changed.wait(seen).unwrap_or_else(PoisonError::into_inner);
                seen.is_asleep = false;
            }
        }
    }

    fn rest<'a>(&self, seen: MutexGuard<'a, Seen>) -> MutexGuard<'a, Seen> {
        self.changed.wait_timeout(seen, STUCK_AFTER).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
