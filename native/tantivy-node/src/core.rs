// An open index: what writes and what is seen. All that changes it runs on one thread (worker.rs), in the order of the calls;
// looks run on any thread beside it, each on the view that is current then.

use crate::disk::{self, Disk};
use crate::failure::{Failure, Kind, Result, guarded};
use crate::folder;
use crate::schema::{
    self, FileNames, Piece, Stretch, Text, Version, file_key, register, stretch_key, term, text_key, version_key,
};
use crate::view::{View, payload};
use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, NoMergePolicy};
use tantivy::{Index, IndexWriter, TantivyDocument, TantivyError};

/// Segments below so many documents are alike to the merging in the background: what a merge of such small ones costs, it costs
/// every few commits.
const SMALL_SEGMENT_DOCS: u32 = 500;
/// tantivy's own bounds are near.
const HEAP_BYTES_MIN: usize = 16 * 1024 * 1024;
const HEAP_BYTES_MAX: usize = 1024 * 1024 * 1024;

#[derive(Clone, Copy)]
pub struct Options {
    pub create: bool,
    /// Empties it first, whatever is there.
    pub rebuild: bool,
    pub read_only: bool,
    pub heap_bytes: usize,
}

#[derive(Default)]
pub struct Batch {
    pub texts: Vec<Text>,
    pub files: Vec<FileNames>,
    pub versions: Vec<Version>,
    pub pieces: Vec<Piece>,
    pub stretches: Vec<Stretch>,
    pub removed_texts: Vec<u64>,
    pub removed_files: Vec<u64>,
    pub removed_versions: Vec<(u64, u64)>,
    pub watermark: u64,
}

pub struct Status {
    pub texts: u64,
    pub files: u64,
    pub versions: u64,
    pub watermark: u64,
    pub next_text: u64,
    pub next_piece: u64,
    pub bytes: u64,
}

pub struct Core {
    disk: Disk,
    index: Index,
    options: Options,
    view: RwLock<Option<Arc<View>>>,
    /// None once closed, or after a failure until the next call that writes.
    writer: Mutex<Option<IndexWriter>>,
    is_closing: AtomicBool,
    lock: File,
}

fn open<T>(result: std::result::Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Reads every byte of the index: a damaged file is noticed here, because tantivy would panic at it later, in its own threads.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        let Options { create, rebuild, read_only, .. } = options;
        let create = create || rebuild;
        if create && read_only {
            return Err(Failure::misuse("an index that is opened to read cannot be made"));
        }
        let lock = folder::lock(path, create, read_only)?;
        if rebuild {
            disk::wipe(path)?;
        }
        let (disk, is_new) = Disk::open(path, read_only)?;
        let index = if is_new {
            Index::create(disk.clone(), schema::schema(), schema::settings())?
        } else {
            let index = Index::open(disk.clone())?;
            check(&index, &disk)?;
            index
        };
        if is_new {
            disk.flush()?;
        }
        register(&index);
        let view = View::open(&index, None)?;
        Ok(Self {
            disk,
            index,
            options,
            view: RwLock::new(Some(Arc::new(view))),
            writer: Mutex::new(None),
            is_closing: AtomicBool::new(false),
            lock,
        })
    }

    /// What queries see now.
    pub fn view(&self) -> Result<Arc<View>> {
        self.assert_open()?;
        open(self.view.read()).clone().ok_or_else(Failure::closed)
    }

    pub fn status(&self) -> Result<Status> {
        let view = self.view()?;
        Ok(Status {
            texts: view.count(schema::Kind::Texts)? - view.count(schema::Kind::Stretches)?,
            files: view.count(schema::Kind::Files)?,
            versions: view.count(schema::Kind::Versions)?,
            watermark: view.watermark,
            next_text: view.next_text,
            next_piece: view.next_piece,
            bytes: self.disk.bytes(),
        })
    }

    /// Makes a batch part of the index, or nothing of it.
    pub fn apply(&self, batch: &Batch) -> Result<()> {
        let view = self.current()?;
        self.write(|writer| {
            change(writer, &view, batch)?;
            let next_text = batch.texts.iter().map(|text| text.id + 1).fold(view.next_text, u64::max);
            let next_piece = batch.pieces.iter().map(|piece| piece.id + 1).fold(view.next_piece, u64::max);
            commit(writer, &payload(batch.watermark, next_text, next_piece))
        })
    }

    /// Removes all documents; the numbers of texts go on.
    pub fn clear(&self) -> Result<()> {
        let view = self.current()?;
        self.write(|writer| {
            writer.delete_all_documents()?;
            commit(writer, &payload(0, view.next_text, view.next_piece))
        })
    }

    pub fn flush(&self) -> Result<()> {
        self.disk.flush()
    }

    /// Makes one segment of all, without what was deleted, and gives the room of the others back. Fails with 'closed' when the
    /// index is closed meanwhile.
    pub fn optimize(&self) -> Result<()> {
        let mut writer = self.writer();
        let merged = guarded(|| {
            if let Some(writer) = writer.take() {
                writer.wait_merging_threads()?;
            }
            let writer = writer.insert(self.new_writer()?);
            writer.set_merge_policy(Box::new(NoMergePolicy));
            let metas = self.index.searchable_segment_metas()?;
            if metas.len() > 1 || metas.iter().any(|meta| meta.has_deletes()) {
                let ids: Vec<_> = metas.iter().map(|meta| meta.id()).collect();
                drop(metas);
                writer.merge(&ids).wait()?;
            }
            writer.set_merge_policy(Box::new(merge_policy()));
            self.show()?;
            writer.garbage_collect_files().wait()?;
            Ok(())
        });
        if merged.is_err() {
            *writer = None;
        }
        drop(writer);
        merged
            .and_then(|()| self.flush())
            .map_err(|failure| if self.disk.is_hurried() { Failure::closed() } else { failure })
    }

    /// From now on all calls fail but those that have begun; merges end early.
    pub fn begin_close(&self) -> Result<()> {
        if self.is_closing.swap(true, Ordering::SeqCst) {
            return Err(Failure::closed());
        }
        self.disk.hurry();
        Ok(())
    }

    pub fn close(&self) -> Result<()> {
        let flushed = if self.options.read_only { Ok(()) } else { guarded(|| self.flush()) };
        let waited = match self.writer().take() {
            Some(writer) => guarded(|| Ok(writer.wait_merging_threads()?)),
            None => Ok(()),
        };
        *open(self.view.write()) = None;
        self.lock.unlock()?;
        flushed.and(waited)
    }

    pub fn assert_open(&self) -> Result<()> {
        if self.is_closing.load(Ordering::SeqCst) { Err(Failure::closed()) } else { Ok(()) }
    }

    pub fn assert_writable(&self) -> Result<()> {
        self.assert_open()?;
        if self.options.read_only { Err(Failure::new(Kind::Locked, "it was opened to read")) } else { Ok(()) }
    }

    fn current(&self) -> Result<Arc<View>> {
        open(self.view.read()).clone().ok_or_else(Failure::closed)
    }

    fn writer(&self) -> MutexGuard<'_, Option<IndexWriter>> {
        open(self.writer.lock())
    }

    /// Runs what ends in a commit, and shows it. After a failure tantivy's writer would refuse everything: the next call has
    /// another one, which goes on from the last commit.
    fn write(&self, call: impl FnOnce(&mut IndexWriter) -> Result<()>) -> Result<()> {
        let mut writer = self.writer();
        self.disk.take_full();
        let mut written = guarded(|| {
            if writer.is_none() {
                *writer = Some(self.new_writer()?);
            }
            writer.as_mut().map_or(Ok(()), call)
        });
        if let Err(failure) = &mut written {
            if self.disk.take_full() {
                failure.kind = Kind::Full;
            }
            *writer = None;
            // What was written is of no use, and its room may be what is missing.
            *writer = guarded(|| self.new_writer()).ok();
            let _ = writer.as_ref().map(|writer| guarded(|| Ok(writer.garbage_collect_files().wait()?)));
        }
        drop(writer);
        written.and_then(|()| guarded(|| self.show()))
    }

    fn new_writer(&self) -> Result<IndexWriter> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(self.options.heap_bytes.clamp(HEAP_BYTES_MIN, HEAP_BYTES_MAX))
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let writer: IndexWriter = self.index.writer_with_options(options)?;
        writer.set_merge_policy(Box::new(merge_policy()));
        Ok(writer)
    }

    /// Lets queries see what is committed.
    fn show(&self) -> Result<()> {
        let view = View::open(&self.index, Some(&*self.current()?))?;
        *open(self.view.write()) = Some(Arc::new(view));
        Ok(())
    }
}

fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_layer_size(SMALL_SEGMENT_DOCS);
    policy.set_del_docs_ratio_before_merge(0.3);
    policy
}

/// Compares the checksums of all files, and the schema.
fn check(index: &Index, disk: &Disk) -> Result<()> {
    if index.schema() != schema::schema() {
        return Err(Failure::corrupt("the index has other fields"));
    }
    for path in disk.durable() {
        if !index.directory().validate_checksum(&path)? {
            return Err(Failure::corrupt(format!("{} is damaged", path.display())));
        }
    }
    Ok(())
}

fn change(writer: &mut IndexWriter, view: &View, batch: &Batch) -> Result<()> {
    // A deletion is looked for in every segment: only what may be there is worth one.
    let mut put = HashSet::new();
    let mut remove = |writer: &IndexWriter, key: Vec<u8>, is_put: bool| -> Result<()> {
        if view.may_have(&key)? || put.contains(&key) {
            writer.delete_term(term(&key));
        }
        if is_put {
            put.insert(key);
        }
        Ok(())
    };
    for id in &batch.removed_texts {
        remove(writer, text_key(*id), false)?;
        remove(writer, stretch_key(*id), false)?;
    }
    for ino in &batch.removed_files {
        remove(writer, file_key(*ino), false)?;
    }
    for (ino, number) in &batch.removed_versions {
        remove(writer, version_key(*ino, *number), false)?;
    }
    for text in &batch.texts {
        // Not new after a failure behind the commit, when the same batch comes again.
        remove(writer, text_key(text.id), true)?;
        add(writer, text.document())?;
    }
    for piece in &batch.pieces {
        remove(writer, text_key(piece.id), true)?;
        add(writer, piece.document())?;
    }
    for stretch in &batch.stretches {
        remove(writer, stretch_key(stretch.id), true)?;
        add(writer, stretch.document())?;
    }
    for file in &batch.files {
        remove(writer, file_key(file.ino), true)?;
        add(writer, file.document())?;
    }
    for version in &batch.versions {
        remove(writer, version_key(version.ino, version.number), true)?;
        add(writer, version.document())?;
    }
    Ok(())
}

fn add(writer: &mut IndexWriter, document: TantivyDocument) -> Result<()> {
    if let Err(error) = writer.add_document(document) {
        // Its thread has died; ending it says of what.
        let cause = writer.prepare_commit().err();
        return Err(cause.unwrap_or(error).into());
    }
    Ok(())
}

fn commit(writer: &mut IndexWriter, payload: &str) -> Result<()> {
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(payload);
    prepared.commit().map_err(|error: TantivyError| error.into()).map(drop)
}
