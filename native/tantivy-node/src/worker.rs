// The thread of an open index: it opens it, and then does what changes it, one thing after the other. Not libuv's threads: a long
// merge would take one of its four from everybody, and what waits behind it the others.

use crate::core::{Core, Options};
use crate::failure::{self, Failure, Kind, guarded};
use crate::thrown;
use napi::bindgen_prelude::{Object, Result, ToNapiValue};
use napi::{Env, JsDeferred};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce(&Core) + Send>;
type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T>>;

/// An index and the way to its thread, which ends when this is dropped.
pub struct Worker {
    pub core: Arc<Core>,
    jobs: Sender<Job>,
}

impl Worker {
    /// A promise of what `made` makes of the index at a path.
    pub fn open<T: ToNapiValue + 'static>(
        env: &Env,
        path: PathBuf,
        options: Options,
        made: fn(Worker) -> T,
    ) -> Result<Object<'_>> {
        let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
        let run = move || match guarded(|| Core::open(&path, options)) {
            Err(failure) => settle(deferred, Err::<Worker, _>(failure), made),
            Ok(core) => {
                let core = Arc::new(core);
                let (jobs, receiver) = channel();
                settle(deferred, Ok(Worker { core: core.clone(), jobs }), made);
                work(&core, &receiver);
            }
        };
        thread::Builder::new().name("tantivy-node".into()).spawn(run)?;
        Ok(promise)
    }

    /// A promise of what a call answers, which runs after all calls before it.
    pub fn promise<'env, T>(
        &self,
        env: &'env Env,
        call: impl FnOnce(&Core) -> failure::Result<T> + Send + 'static,
    ) -> Result<Object<'env>>
    where
        T: ToNapiValue + Send + 'static,
    {
        let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
        let job = Box::new(move |core: &Core| settle(deferred, guarded(|| call(core)), |answer| answer));
        let ended = |_| thrown(env, Failure::new(Kind::Io, "the thread of the index has ended"));
        self.jobs.send(job).map_err(ended)?;
        Ok(promise)
    }
}

fn work(core: &Core, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job(core);
    }
}

fn settle<A: Send + 'static, T: ToNapiValue + 'static>(
    deferred: JsDeferred<T, Resolver<T>>,
    answer: failure::Result<A>,
    made: fn(A) -> T,
) {
    deferred.resolve(Box::new(move |env| answer.map(made).map_err(|failure| thrown(&env, failure))));
}
