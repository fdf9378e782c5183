// The sled engine as a native addon with the calls that src/store/kv/native-engine.ts makes, bytes in and bytes out. What fails
// throws or rejects with an Error whose `kind` is one of StoreError.

mod database;
mod failure;
mod folder;
mod heap;
mod live;
mod packed;
mod power;
mod range;
mod room;
mod upkeep;
mod values;
mod views;
mod watch;

use database::Database;
use failure::{Failure, Kind, guarded};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::path::PathBuf;
use std::sync::Arc;

/// sled's version, which Cargo.toml pins.
#[napi]
#[allow(non_upper_case_globals)]
pub const version: &str = "0.34.7";

/// The error of JavaScript that a failure is thrown as.
fn thrown(env: &Env, failure: Failure) -> Error {
    let error = Error::new(Status::GenericFailure, failure.message);
    if failure.kind == Kind::Misuse {
        return Error::from(JsTypeError::from(error).into_unknown(*env));
    }
    let made = env.create_error(error).and_then(|mut object| {
        object.set_named_property("kind", failure.kind.name())?;
        object.into_unknown(env)
    });
    made.map_or_else(|error| error, Error::from)
}

/// A call that runs on a thread of the pool.
pub struct Job<T>(Option<Box<dyn FnOnce() -> failure::Result<T> + Send>>);

impl<T> Job<T> {
    fn start(call: impl FnOnce() -> failure::Result<T> + Send + 'static) -> AsyncTask<Self>
    where
        T: Send + ToNapiValue + TypeName + 'static,
    {
        AsyncTask::new(Self(Some(Box::new(call))))
    }
}

impl<T: Send + ToNapiValue + TypeName + 'static> Task for Job<T> {
    type Output = failure::Result<T>;
    type JsValue = T;

    fn compute(&mut self) -> Result<Self::Output> {
        let call = self.0.take();
        Ok(guarded(|| call.map_or_else(|| Err(Failure::closed()), |call| call())))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<T> {
        output.map_err(|failure| thrown(&env, failure))
    }
}

#[napi]
pub struct SledDatabase(Arc<Database>);

/// Opens a vault; with `create`, makes it where there is nothing.
#[napi]
pub fn open(path: String, create: bool, read_only: bool, cache_bytes: f64) -> AsyncTask<Job<SledDatabase>> {
    Job::start(move || {
        let database = Database::open(&PathBuf::from(path), create, read_only, cache_bytes as u64)?;
        Ok(SledDatabase(Arc::new(database)))
    })
}

fn group_of(group: u32) -> failure::Result<u8> {
    match u8::try_from(group) {
        Ok(group) if group < packed::GROUP_COUNT => Ok(group),
        _ => Err(Failure::new(Kind::Misuse, "group must be a group")),
    }
}

/// What was committed when it was made, until it is released or nobody holds it any more.
#[napi]
pub struct SledSnapshot {
    database: Arc<Database>,
    view: u32,
}

impl Drop for SledSnapshot {
    fn drop(&mut self) {
        self.database.close_view(self.view);
    }
}

/// The view of a snapshot, which must be one of this database; None: what is committed now.
fn view_of(database: &SledDatabase, snapshot: Option<&SledSnapshot>) -> failure::Result<Option<u32>> {
    match snapshot {
        Some(snapshot) if !Arc::ptr_eq(&snapshot.database, &database.0) => {
            Err(Failure::new(Kind::Misuse, "snapshot must be one of this database"))
        }
        _ => Ok(snapshot.map(|snapshot| snapshot.view)),
    }
}

/// The value's length, which is in `into` if it fits; -1: there is none.
#[napi]
pub fn get(
    env: &Env,
    database: &SledDatabase,
    snapshot: Option<&SledSnapshot>,
    group: u32,
    key: &[u8],
    mut into: Uint8ArraySlice<'_>,
) -> Result<i64> {
    let copy = |value: &[u8]| {
        // SAFETY: JavaScript does not run meanwhile, and no slice of its memory is kept.
        if let Some(into) = unsafe { into.as_mut() }.get_mut(..value.len()) {
            into.copy_from_slice(value);
        }
        value.len() as i64
    };
    view_of(database, snapshot)
        .and_then(|view| database.0.get(view, group_of(group)?, key, copy))
        .map(|length| length.unwrap_or(-1))
        .map_err(|failure| thrown(env, failure))
}

/// Packed entries.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn range<'e>(
    env: &'e Env,
    database: &SledDatabase,
    snapshot: Option<&SledSnapshot>,
    group: u32,
    gte: &[u8],
    lt: Option<&[u8]>,
    reverse: bool,
    limit: f64,
    bytes: f64,
) -> Result<BufferSlice<'e>> {
    let (limit, bytes) = (limit as u64, bytes as u64);
    let packed = view_of(database, snapshot)
        .and_then(|view| {
            database.0.range(view, &range::Range { group: group_of(group)?, gte, lt, reverse, limit, bytes })
        })
        .map_err(|failure| thrown(env, failure))?;
    BufferSlice::copy_from(env, packed)
}

/// The changes are copied before it returns, and written in the order of the calls.
#[napi]
pub fn write(env: &Env, database: &SledDatabase, changes: &[u8], length: f64) -> Result<AsyncTask<Job<()>>> {
    let database = &database.0;
    let bytes = database
        .assert_writable()
        .and_then(|()| {
            let bytes = changes.get(..length as usize);
            bytes.ok_or_else(|| Failure::new(Kind::Misuse, "length must be within the changes"))
        })
        .and_then(|bytes| packed::changes(bytes).map(|_| bytes.to_vec()))
        .map_err(|failure| thrown(env, failure))?;
    let database = database.clone();
    let turn = database.turn();
    Ok(Job::start(move || database.write(turn, packed::changes(&bytes))))
}

#[napi]
pub fn snapshot(env: &Env, database: &SledDatabase) -> Result<SledSnapshot> {
    let view = database.0.view().map_err(|failure| thrown(env, failure))?;
    Ok(SledSnapshot { database: database.0.clone(), view })
}

/// A second time does nothing.
#[napi]
pub fn release(snapshot: &SledSnapshot) {
    snapshot.database.close_view(snapshot.view);
}

#[napi]
pub fn stats(env: &Env, database: &SledDatabase) -> Result<Stats> {
    let figures = database.0.figures().map_err(|failure| thrown(env, failure))?;
    Ok(Stats {
        bytes: figures.bytes as f64,
        log_bytes: figures.log_bytes as f64,
        value_bytes: figures.value_bytes as f64,
        reserved_bytes: figures.reserved_bytes as f64,
        segments: figures.segments as f64,
        segment_bytes: live::SEGMENT_BYTES as f64,
        views: figures.views as f64,
        view_bytes: figures.view_bytes as f64,
    })
}

#[napi]
pub fn compact(env: &Env, database: &SledDatabase, anew: Option<bool>) -> Result<AsyncTask<Job<()>>> {
    database.0.assert_writable().map_err(|failure| thrown(env, failure))?;
    let database = database.0.clone();
    Ok(Job::start(move || database.compact(anew.unwrap_or(false))))
}

#[napi]
pub fn verify(env: &Env, database: &SledDatabase) -> Result<AsyncTask<Job<Vec<String>>>> {
    database.0.assert_open().map_err(|failure| thrown(env, failure))?;
    let database = database.0.clone();
    Ok(Job::start(move || database.verify()))
}

/// Waits for batches, and ends compact and verify early.
#[napi]
pub fn close(env: &Env, database: &SledDatabase) -> Result<AsyncTask<Job<()>>> {
    let turn = database.0.begin_close().map_err(|failure| thrown(env, failure))?;
    let database = database.0.clone();
    Ok(Job::start(move || database.close(turn)))
}

#[napi(object)]
pub struct Stats {
    pub bytes: f64,
    pub log_bytes: f64,
    pub value_bytes: f64,
    pub reserved_bytes: f64,
    pub segments: f64,
    pub segment_bytes: f64,
    pub views: f64,
    pub view_bytes: f64,
}
