// The sled engine as a native addon, for src/store/sled: a class with the calls of KvEngine (src/store/kv/engine.ts), bytes
// in and bytes out. What fails throws or rejects with an Error whose `kind` is one of StoreError.

mod database;
mod failure;
mod folder;
mod heap;
mod live;
mod packed;
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
pub const VERSION: &str = "0.34.7";

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

#[napi]
impl SledDatabase {
    /// The value's length, which is in `into` if it fits; -1: there is none.
    #[napi]
    pub fn get(
        &self,
        env: &Env,
        view: Option<u32>,
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
        group_of(group)
            .and_then(|group| self.0.get(view, group, key, copy))
            .map(|length| length.unwrap_or(-1))
            .map_err(|failure| thrown(env, failure))
    }

    /// Packed entries.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn range<'e>(
        &self,
        env: &'e Env,
        view: Option<u32>,
        group: u32,
        gte: &[u8],
        lt: Option<&[u8]>,
        reverse: bool,
        limit: f64,
        bytes: f64,
    ) -> Result<BufferSlice<'e>> {
        let (limit, bytes) = (limit as u64, bytes as u64);
        let packed = group_of(group)
            .and_then(|group| self.0.range(view, &range::Range { group, gte, lt, reverse, limit, bytes }))
            .map_err(|failure| thrown(env, failure))?;
        BufferSlice::copy_from(env, packed)
    }

    /// The changes are copied before it returns, and written in the order of the calls.
    #[napi]
    pub fn write(&self, env: &Env, changes: &[u8], length: f64) -> Result<AsyncTask<Job<()>>> {
        let bytes = self
            .0
            .assert_writable()
            .and_then(|()| {
                let bytes = changes.get(..length as usize);
                bytes.ok_or_else(|| Failure::new(Kind::Misuse, "length must be within the changes"))
            })
            .and_then(|bytes| packed::changes(bytes).map(|_| bytes.to_vec()))
            .map_err(|failure| thrown(env, failure))?;
        let database = self.0.clone();
        let turn = database.turn();
        Ok(Job::start(move || {
            let changes = packed::changes(&bytes);
            database.write(turn, changes)
        }))
    }

    /// A number for `get` and `range`, until it is closed.
    #[napi]
    pub fn view(&self, env: &Env) -> Result<u32> {
        self.0.view().map_err(|failure| thrown(env, failure))
    }

    /// A second time does nothing.
    #[napi]
    pub fn close_view(&self, view: u32) {
        self.0.close_view(view);
    }

    #[napi]
    pub fn stats(&self, env: &Env) -> Result<Stats> {
        let figures = self.0.figures().map_err(|failure| thrown(env, failure))?;
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
    pub fn compact(&self, env: &Env) -> Result<AsyncTask<Job<()>>> {
        self.0.assert_writable().map_err(|failure| thrown(env, failure))?;
        let database = self.0.clone();
        Ok(Job::start(move || database.compact()))
    }

    #[napi]
    pub fn verify(&self, env: &Env) -> Result<AsyncTask<Job<Vec<String>>>> {
        self.0.assert_open().map_err(|failure| thrown(env, failure))?;
        let database = self.0.clone();
        Ok(Job::start(move || database.verify()))
    }

    /// Waits for batches, and ends compact and verify early.
    #[napi]
    pub fn close(&self, env: &Env) -> Result<AsyncTask<Job<()>>> {
        let turn = self.0.begin_close().map_err(|failure| thrown(env, failure))?;
        let database = self.0.clone();
        Ok(Job::start(move || database.close(turn)))
    }
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
