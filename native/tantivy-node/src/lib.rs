// tantivy as a native addon: an index of texts and files, as a class. What fails throws or rejects with an Error whose `kind` says
// what a caller can do about it; index.d.ts has the contract.

mod core;
mod disk;
mod failure;
mod find;
mod folder;
mod plan;
mod schema;
mod view;
mod words;
mod worker;

use crate::core::{Core, Options};
use failure::{Failure, Kind, guarded};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use plan::Plan;
use std::path::PathBuf;
use worker::Worker;

/// tantivy's version, which Cargo.toml pins.
#[napi]
pub const VERSION: &str = "0.27.0";

const HEAP_BYTES: f64 = 32.0 * 1024.0 * 1024.0;
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

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

#[napi]
pub struct TantivyIndex(Worker);

#[napi(object)]
pub struct OpenOptions {
    pub create: Option<bool>,
    pub rebuild: Option<bool>,
    pub read_only: Option<bool>,
    pub heap_bytes: Option<f64>,
}

#[napi]
pub fn open<'env>(env: &'env Env, path: String, options: Option<OpenOptions>) -> Result<Object<'env>> {
    let given = |choose: fn(&OpenOptions) -> Option<bool>| options.as_ref().and_then(choose).unwrap_or(false);
    let options = Options {
        create: given(|options| options.create),
        rebuild: given(|options| options.rebuild),
        read_only: given(|options| options.read_only),
        heap_bytes: options.as_ref().and_then(|options| options.heap_bytes).unwrap_or(HEAP_BYTES) as usize,
    };
    Worker::open(env, PathBuf::from(path), options, TantivyIndex)
}

#[napi(object)]
pub struct Words {
    pub parts: String,
    pub whole: String,
}

#[napi(object)]
pub struct TextDocument {
    pub id: f64,
    pub hash: Uint8Array,
    pub body: Words,
}

#[napi(object)]
pub struct FileDocument {
    pub ino: f64,
    pub name: Words,
    pub path: Words,
}

#[napi(object)]
pub struct TextVersion {
    pub ino: f64,
    pub number: f64,
    pub text: f64,
}

#[napi(object)]
pub struct PieceDocument {
    pub id: f64,
    pub body: Words,
}

#[napi(object)]
pub struct Stretch {
    pub id: f64,
    pub ino: f64,
    pub first: f64,
    pub last: f64,
    pub start: f64,
    pub end: f64,
}

#[napi(object)]
pub struct RemovedVersion {
    pub ino: f64,
    pub number: f64,
}

#[napi(object)]
pub struct Batch {
    pub texts: Vec<TextDocument>,
    pub files: Vec<FileDocument>,
    pub versions: Vec<TextVersion>,
    pub pieces: Vec<PieceDocument>,
    pub stretches: Vec<Stretch>,
    pub removed_texts: Vec<f64>,
    pub removed_files: Vec<f64>,
    pub removed_versions: Vec<RemovedVersion>,
    pub watermark: f64,
}

#[napi(object)]
pub struct Hit {
    pub id: f64,
    pub score: f64,
}

#[napi(object)]
pub struct IndexStatus {
    pub texts: f64,
    pub files: f64,
    pub versions: f64,
    pub watermark: f64,
    pub next_text: f64,
    pub next_piece: f64,
    pub bytes: f64,
}

#[napi]
impl TantivyIndex {
    #[napi]
    pub fn apply<'env>(&self, env: &'env Env, batch: Batch) -> Result<Object<'env>> {
        let checked = self.0.core.assert_writable().and_then(|()| batch_of(batch));
        let batch = checked.map_err(|failure| thrown(env, failure))?;
        self.0.promise(env, move |core| core.apply(&batch))
    }

    #[napi]
    pub fn flush<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.change(env, Core::flush)
    }

    #[napi]
    pub fn clear<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.change(env, Core::clear)
    }

    #[napi]
    pub fn optimize<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.change(env, Core::optimize)
    }

    #[napi]
    pub fn close<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.0.core.begin_close().map_err(|failure| thrown(env, failure))?;
        self.0.promise(env, Core::close)
    }

    #[napi]
    pub fn query(&self, env: &Env, plan: Object<'_>, limit: f64, offset: f64) -> Result<Vec<Hit>> {
        self.find(env, &plan, limit, offset, false)
    }

    #[napi]
    pub fn query_pieces(&self, env: &Env, plan: Object<'_>, limit: f64, offset: f64) -> Result<Vec<Hit>> {
        self.find(env, &plan, limit, offset, true)
    }

    #[napi]
    pub fn among(&self, env: &Env, plan: Object<'_>, ids: Vec<f64>) -> Result<Vec<Hit>> {
        self.look(env, |core| {
            let view = core.view()?;
            Ok(hits(find::among(&view, &Plan::of(&plan)?, &integers(&ids)?)?))
        })
    }

    #[napi]
    pub fn texts_with(&self, env: &Env, hashes: Vec<Uint8Array>) -> Result<Vec<Option<f64>>> {
        self.look(env, |core| {
            let view = core.view()?;
            hashes.iter().map(|hash| Ok(view.text_with(hash)?.map(|id| id as f64))).collect()
        })
    }

    #[napi]
    pub fn versions_of(&self, env: &Env, text: f64) -> Result<Vec<TextVersion>> {
        self.look(env, |core| Ok(versions(core.view()?.versions_of(integer(text)?)?)))
    }

    #[napi]
    pub fn text_of(&self, env: &Env, ino: f64, number: f64) -> Result<Option<f64>> {
        self.look(env, |core| {
            let text = core.view()?.text_of(integer(ino)?, integer(number)?)?;
            Ok(text.map(|id| id as f64))
        })
    }

    #[napi]
    pub fn versions_of_file(&self, env: &Env, ino: f64) -> Result<Vec<TextVersion>> {
        self.look(env, |core| Ok(versions(core.view()?.versions_of_file(integer(ino)?)?)))
    }

    #[napi]
    pub fn stretches(&self, env: &Env, ids: Vec<f64>) -> Result<Vec<Stretch>> {
        self.look(env, |core| Ok(stretches(core.view()?.stretches(&integers(&ids)?)?)))
    }

    #[napi]
    pub fn stretches_of_file(&self, env: &Env, ino: f64) -> Result<Vec<Stretch>> {
        self.look(env, |core| Ok(stretches(core.view()?.stretches_of_file(integer(ino)?)?)))
    }

    #[napi]
    pub fn unused_texts(&self, env: &Env, from: f64, limit: f64) -> Result<Vec<f64>> {
        self.look(env, |core| {
            let texts = core.view()?.unused_texts(integer(from)?, integer(limit)? as usize)?;
            Ok(texts.into_iter().map(|id| id as f64).collect())
        })
    }

    #[napi]
    pub fn status(&self, env: &Env) -> Result<IndexStatus> {
        self.look(env, |core| {
            let status = core.status()?;
            Ok(IndexStatus {
                texts: status.texts as f64,
                files: status.files as f64,
                versions: status.versions as f64,
                watermark: status.watermark as f64,
                next_text: status.next_text as f64,
                next_piece: status.next_piece as f64,
                bytes: status.bytes as f64,
            })
        })
    }

    fn find(&self, env: &Env, plan: &Object<'_>, limit: f64, offset: f64, pieces: bool) -> Result<Vec<Hit>> {
        self.look(env, |core| {
            let view = core.view()?;
            let (limit, offset) = (integer(limit)? as usize, integer(offset)? as usize);
            Ok(hits(find::query(&view, &Plan::of(plan)?, limit, offset, pieces)?))
        })
    }

    fn look<T>(&self, env: &Env, call: impl FnOnce(&Core) -> failure::Result<T>) -> Result<T> {
        guarded(|| call(&self.0.core)).map_err(|failure| thrown(env, failure))
    }

    fn change<'env>(&self, env: &'env Env, call: fn(&Core) -> failure::Result<()>) -> Result<Object<'env>> {
        self.0.core.assert_writable().map_err(|failure| thrown(env, failure))?;
        self.0.promise(env, call)
    }
}

fn integer(number: f64) -> failure::Result<u64> {
    if number.fract() == 0.0 && (0.0..=INTEGER_MAX).contains(&number) {
        return Ok(number as u64);
    }
    Err(Failure::misuse("numbers must be whole and not negative"))
}

fn integers(numbers: &[f64]) -> failure::Result<Vec<u64>> {
    numbers.iter().map(|number| integer(*number)).collect()
}

fn hits(hits: Vec<find::Hit>) -> Vec<Hit> {
    hits.into_iter().map(|hit| Hit { id: hit.id as f64, score: f64::from(hit.score) }).collect()
}

fn versions(versions: Vec<schema::Version>) -> Vec<TextVersion> {
    let plain = |version: schema::Version| TextVersion {
        ino: version.ino as f64,
        number: version.number as f64,
        text: version.text as f64,
    };
    versions.into_iter().map(plain).collect()
}

fn stretches(stretches: Vec<schema::Stretch>) -> Vec<Stretch> {
    let plain = |stretch: schema::Stretch| Stretch {
        id: stretch.id as f64,
        ino: stretch.ino as f64,
        first: stretch.first as f64,
        last: stretch.last as f64,
        start: stretch.start as f64,
        end: stretch.end as f64,
    };
    stretches.into_iter().map(plain).collect()
}

fn words(words: Words) -> schema::Words {
    schema::Words { parts: words.parts, whole: words.whole }
}

fn batch_of(batch: Batch) -> failure::Result<core::Batch> {
    let text = |text: TextDocument| {
        Ok(schema::Text { id: integer(text.id)?, hash: text.hash.to_vec(), body: words(text.body) })
    };
    let file = |file: FileDocument| {
        Ok(schema::FileNames { ino: integer(file.ino)?, name: words(file.name), path: words(file.path) })
    };
    let version = |version: TextVersion| {
        let TextVersion { ino, number, text } = version;
        Ok(schema::Version { ino: integer(ino)?, number: integer(number)?, text: integer(text)? })
    };
    let piece = |piece: PieceDocument| {
        if integer(piece.id)? < schema::PIECES_FROM {
            return Err(Failure::misuse("a piece must have the id of one"));
        }
        Ok(schema::Piece { id: integer(piece.id)?, body: words(piece.body) })
    };
    let stretch = |stretch: Stretch| {
        let Stretch { id, ino, first, last, start, end } = stretch;
        Ok(schema::Stretch {
            id: integer(id)?,
            ino: integer(ino)?,
            first: integer(first)?,
            last: integer(last)?,
            start: integer(start)?,
            end: integer(end)?,
        })
    };
    let removed = |version: RemovedVersion| Ok((integer(version.ino)?, integer(version.number)?));
    Ok(core::Batch {
        texts: batch.texts.into_iter().map(text).collect::<failure::Result<_>>()?,
        files: batch.files.into_iter().map(file).collect::<failure::Result<_>>()?,
        versions: batch.versions.into_iter().map(version).collect::<failure::Result<_>>()?,
        pieces: batch.pieces.into_iter().map(piece).collect::<failure::Result<_>>()?,
        stretches: batch.stretches.into_iter().map(stretch).collect::<failure::Result<_>>()?,
        removed_texts: integers(&batch.removed_texts)?,
        removed_files: integers(&batch.removed_files)?,
        removed_versions: batch.removed_versions.into_iter().map(removed).collect::<failure::Result<_>>()?,
        watermark: integer(batch.watermark)?,
    })
}
