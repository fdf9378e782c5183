// What queries see: the segments of one commit, open. A later commit makes another view; segments that both have stay open.
// Here are the looks by keys; find.rs follows plans.

use crate::failure::{Failure, Result};
use crate::schema::{
    COLUMNS, KEY, Kind, PIECES_FROM, Stretch, Version, hash_key, key, stretch_key, version_key,
};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use tantivy::columnar::Column;
use tantivy::directory::META_LOCK;
use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::postings::{SegmentPostings, TermInfo};
use tantivy::schema::IndexRecordOption;
use tantivy::{Directory, DocId, DocSet, Index, TERMINATED};

/// How many ids are compared at a time to find texts without versions.
const WINDOW: u64 = 1 << 16;

pub struct Segment {
    pub reader: SegmentReader,
    keys: Arc<InvertedIndexReader>,
    columns: [OnceLock<Column<u64>>; COLUMNS.len()],
    live: [OnceLock<u64>; 4],
}

impl Segment {
    fn open(segment: &tantivy::Segment) -> Result<Self> {
        let reader = SegmentReader::open(segment)?;
        let keys = reader.inverted_index(KEY)?;
        Ok(Self { reader, keys, columns: Default::default(), live: Default::default() })
    }

    pub fn is_live(&self, doc: DocId) -> bool {
        !self.reader.is_deleted(doc)
    }

    /// A text's or a file's number.
    pub fn id(&self, doc: DocId) -> Result<u64> {
        self.number(0, doc)
    }

    fn number(&self, column: usize, doc: DocId) -> Result<u64> {
        let missing = || Failure::corrupt(format!("a document has no {}", COLUMNS[column]));
        if self.columns[column].get().is_none() {
            let found = self.reader.fast_fields().column_opt::<u64>(COLUMNS[column])?.ok_or_else(missing)?;
            let _ = self.columns[column].set(found);
        }
        self.columns[column].get().and_then(|values| values.first(doc)).ok_or_else(missing)
    }

    fn version(&self, doc: DocId) -> Result<Version> {
        Ok(Version { ino: self.number(0, doc)?, number: self.number(1, doc)?, text: self.number(2, doc)? })
    }

    fn stretch(&self, doc: DocId) -> Result<Stretch> {
        Ok(Stretch {
            id: self.number(0, doc)?,
            ino: self.number(1, doc)?,
            first: self.number(2, doc)?,
            last: self.number(3, doc)?,
            start: self.number(4, doc)?,
            end: self.number(5, doc)?,
        })
    }

    fn postings(&self, info: &TermInfo) -> Result<SegmentPostings> {
        Ok(self.keys.read_postings_from_terminfo(info, IndexRecordOption::Basic)?)
    }

    /// The document with a key that no other has.
    pub fn document(&self, key: &[u8]) -> Result<Option<DocId>> {
        let Some(info) = self.keys.terms().get(key)? else { return Ok(None) };
        Ok(self.documents(&info)?.next())
    }

    /// The documents with a key that still count.
    fn documents(&self, info: &TermInfo) -> Result<impl Iterator<Item = DocId> + '_> {
        let mut postings = self.postings(info)?;
        Ok(std::iter::from_fn(move || {
            let doc = postings.doc();
            if doc == TERMINATED {
                return None;
            }
            postings.advance();
            Some(doc)
        })
        .filter(|doc| self.is_live(*doc)))
    }

    fn count(&self, kind: Kind) -> Result<u64> {
        let slot = &self.live[kind as usize];
        if let Some(count) = slot.get() {
            return Ok(*count);
        }
        let count = match self.keys.terms().get(kind.key())? {
            None => 0,
            Some(info) if !self.reader.has_deletes() => u64::from(info.doc_freq),
            Some(info) => self.documents(&info)?.count() as u64,
        };
        Ok(*slot.get_or_init(|| count))
    }

    /// Documents of a kind, with those that were deleted and are still in the segment's statistics.
    pub fn count_all(&self, kind: Kind) -> Result<u64> {
        Ok(self.keys.terms().get(kind.key())?.map_or(0, |info| u64::from(info.doc_freq)))
    }

    /// Calls with the number behind a letter of each key in a range of which a document still counts.
    fn each_number(&self, letter: u8, from: u64, to: u64, mut call: impl FnMut(u64)) -> Result<()> {
        let mut keys = self.keys.terms().range().ge(key(letter, &[from])).lt(key(letter, &[to])).into_stream()?;
        while let Some((found, info)) = keys.next() {
            let counts = !self.reader.has_deletes() || self.documents(info)?.next().is_some();
            if let (true, Some(number)) = (counts, found[1..].first_chunk::<8>()) {
                call(u64::from_be_bytes(*number));
            }
        }
        Ok(())
    }

    /// Calls with each document that counts of a file: its keys begin with a letter and the file's number.
    fn each_of_file(&self, letter: u8, ino: u64, mut call: impl FnMut(DocId) -> Result<()>) -> Result<()> {
        let range = self.keys.terms().range().ge(key(letter, &[ino])).lt(key(letter, &[ino + 1]));
        let mut keys = range.into_stream()?;
        while let Some((_, info)) = keys.next() {
            for doc in self.documents(info)? {
                call(doc)?;
            }
        }
        Ok(())
    }

    fn next_number(&self, letter: u8, from: u64) -> Result<Option<u64>> {
        let mut keys = self.keys.terms().range().ge(key(letter, &[from])).lt([letter + 1]).into_stream()?;
        let first = keys.next().and_then(|(found, _)| found[1..].first_chunk::<8>().copied());
        Ok(first.map(u64::from_be_bytes))
    }
}

pub struct View {
    pub segments: Vec<Arc<Segment>>,
    pub watermark: u64,
    pub next_text: u64,
    pub next_piece: u64,
}

impl View {
    /// What is committed now.
    pub fn open(index: &Index, before: Option<&View>) -> Result<Self> {
        let lock = index.directory().acquire_lock(&META_LOCK).map_err(tantivy::TantivyError::from)?;
        let metas = index.load_metas()?;
        let segments = metas.segments.iter().map(|meta| {
            let is_same = |open: &&Arc<Segment>| {
                open.reader.segment_id() == meta.id() && open.reader.delete_opstamp() == meta.delete_opstamp()
            };
            match before.and_then(|view| view.segments.iter().find(is_same)) {
                Some(open) => Ok(open.clone()),
                None => Segment::open(&index.segment(meta.clone())).map(Arc::new),
            }
        });
        let segments = segments.collect::<Result<_>>()?;
        drop(lock);
        let [watermark, next_text, next_piece] = match &metas.payload {
            None => [0, 1, PIECES_FROM],
            Some(payload) => parse(payload).ok_or_else(|| Failure::corrupt("a commit without a watermark"))?,
        };
        Ok(Self { segments, watermark, next_text, next_piece })
    }

    pub fn count(&self, kind: Kind) -> Result<u64> {
        self.segments.iter().map(|segment| segment.count(kind)).sum()
    }

    /// Whether some document has this key, or had it.
    pub fn may_have(&self, key: &[u8]) -> Result<bool> {
        for segment in &self.segments {
            if segment.keys.terms().get(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn text_with(&self, hash: &[u8]) -> Result<Option<u64>> {
        let found = self.find(&hash_key(hash))?;
        found.map(|(segment, doc)| segment.id(doc)).transpose()
    }

    pub fn text_of(&self, ino: u64, number: u64) -> Result<Option<u64>> {
        let found = self.find(&version_key(ino, number))?;
        found.map(|(segment, doc)| segment.number(2, doc)).transpose()
    }

    fn find(&self, key: &[u8]) -> Result<Option<(&Segment, DocId)>> {
        for segment in &self.segments {
            if let Some(doc) = segment.document(key)? {
                return Ok(Some((segment, doc)));
            }
        }
        Ok(None)
    }

    pub fn versions_of(&self, text: u64) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        for segment in &self.segments {
            if let Some(info) = segment.keys.terms().get(key(b'X', &[text]))? {
                for doc in segment.documents(&info)? {
                    versions.push(segment.version(doc)?);
                }
            }
        }
        versions.sort_unstable();
        Ok(versions)
    }

    pub fn versions_of_file(&self, ino: u64) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        for segment in &self.segments {
            segment.each_of_file(b'V', ino, |doc| {
                versions.push(segment.version(doc)?);
                Ok(())
            })?;
        }
        versions.sort_unstable();
        Ok(versions)
    }

    pub fn stretches(&self, ids: &[u64]) -> Result<Vec<Stretch>> {
        let mut stretches = Vec::new();
        for id in ids {
            if let Some((segment, doc)) = self.find(&stretch_key(*id))? {
                stretches.push(segment.stretch(doc)?);
            }
        }
        Ok(stretches)
    }

    pub fn stretches_of_file(&self, ino: u64) -> Result<Vec<Stretch>> {
        let mut stretches = Vec::new();
        for segment in &self.segments {
            segment.each_of_file(b'S', ino, |doc| {
                stretches.push(segment.stretch(doc)?);
                Ok(())
            })?;
        }
        stretches.sort_unstable();
        Ok(stretches)
    }

    pub fn unused_texts(&self, from: u64, limit: usize) -> Result<Vec<u64>> {
        let mut unused = Vec::new();
        let mut from = from;
        while unused.len() < limit {
            // To the next text that there is, over stretches of those that were removed.
            let mut next = None;
            for segment in &self.segments {
                next = [next, segment.next_number(b'T', from)?].into_iter().flatten().min();
            }
            let Some(next) = next.filter(|next| *next < PIECES_FROM) else { break };
            let to = PIECES_FROM.min(next + WINDOW);
            let (mut texts, mut used) = (Vec::new(), HashSet::new());
            for segment in &self.segments {
                segment.each_number(b'T', next, to, |text| texts.push(text))?;
                segment.each_number(b'X', next, to, |text| {
                    used.insert(text);
                })?;
            }
            texts.sort_unstable();
            unused.extend(texts.into_iter().filter(|text| !used.contains(text)));
            from = to;
        }
        unused.truncate(limit);
        Ok(unused)
    }

    /// The documents of these texts or files, segment by segment, in order.
    pub fn documents(&self, kind: Kind, ids: &[u64]) -> Result<Vec<Vec<DocId>>> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let letter = if kind == Kind::Texts { b'T' } else { b'F' };
        let of_segment = |segment: &Arc<Segment>| {
            let mut docs = Vec::new();
            for id in &ids {
                docs.extend(segment.document(&key(letter, &[*id]))?);
            }
            docs.sort_unstable();
            Ok(docs)
        };
        self.segments.iter().map(of_segment).collect()
    }
}

/// What a commit says of itself: "WATERMARK NEXT_TEXT NEXT_PIECE".
pub fn payload(watermark: u64, next_text: u64, next_piece: u64) -> String {
    format!("{watermark} {next_text} {next_piece}")
}

fn parse(payload: &str) -> Option<[u64; 3]> {
    let numbers: Option<Vec<u64>> = payload.split(' ').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}
