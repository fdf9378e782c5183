// Where words and phrases are in the documents of a segment. Lists are walked together: who is behind leaps to who is ahead, so
// that a rare word makes a common one cheap.

use crate::failure::Result;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, TERMINATED};

/// A word's lists in a segment: one, or for the beginning of a word that of each word that begins so.
pub type Lists = Vec<TermInfo>;

/// Documents in which phrases are, and the positions at which each begins, in order.
#[derive(Default)]
pub struct Starts {
    pub docs: Vec<DocId>,
    /// For each document, where its positions end in `at`.
    ends: Vec<usize>,
    at: Vec<u32>,
}

impl Starts {
    pub fn of(&self, index: usize) -> &[u32] {
        let from = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.at[from..self.ends[index]]
    }

    fn push(&mut self, doc: DocId, at: &[u32]) {
        if !at.is_empty() {
            self.docs.push(doc);
            self.at.extend_from_slice(at);
            self.ends.push(self.at.len());
        }
    }
}

/// How often a word is in each document that has it, in order of documents.
pub fn counts(
    index: &InvertedIndexReader,
    lists: &Lists,
    within: Option<&[DocId]>,
    max_doc: DocId,
) -> Result<Vec<(DocId, u32)>> {
    let read = |info| index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs);
    if let [info] = &lists[..] {
        let mut found = Vec::new();
        each(read(info)?, within, |doc, postings| found.push((doc, postings.term_freq())));
        return Ok(found);
    }
    let total: u64 = lists.iter().map(|info| u64::from(info.doc_freq)).sum();
    if within.is_none() && total > u64::from(max_doc) / 16 {
        let mut counts = vec![0u32; max_doc as usize];
        for info in lists {
            each(read(info)?, None, |doc, postings| counts[doc as usize] += postings.term_freq());
        }
        let found = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        return Ok(found.map(|(doc, count)| (doc as DocId, count)).collect());
    }
    let mut found: Vec<(DocId, u32)> = Vec::new();
    for info in lists {
        each(read(info)?, within, |doc, postings| found.push((doc, postings.term_freq())));
    }
    found.sort_unstable();
    found.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 += next.1;
        }
        is_same
    });
    Ok(found)
}

/// Where a phrase begins: each word is where its lists are, the next one position further.
pub fn starts(index: &InvertedIndexReader, words: &[Lists], within: Option<&[DocId]>) -> Result<Starts> {
    if words.iter().any(Vec::is_empty) {
        return Ok(Starts::default());
    }
    match words.split_last() {
        Some((last, [])) if last.len() > 1 => starts_of_any(index, last, within),
        Some((last, before)) if last.len() > 1 => {
            let before_last = exact_starts(index, before, within)?;
            followed_by_any(index, &before_last, last, before.len() as u32)
        }
        _ => exact_starts(index, words, within),
    }
}

/// Calls for each document of a list, or for those of `within` alone.
fn each(mut postings: SegmentPostings, within: Option<&[DocId]>, mut call: impl FnMut(DocId, &mut SegmentPostings)) {
    let Some(within) = within else {
        let mut doc = postings.doc();
        while doc != TERMINATED {
            call(doc, &mut postings);
            doc = postings.advance();
        }
        return;
    };
    let mut rest = within;
    while let Some(wanted) = rest.first() {
        let doc = if postings.doc() < *wanted { postings.seek(*wanted) } else { postings.doc() };
        if doc == TERMINATED {
            return;
        }
        rest = from(rest, doc);
        if rest.first() == Some(&doc) {
            call(doc, &mut postings);
            rest = &rest[1..];
        }
    }
}

/// What a sorted list has from `doc` on: by steps that double, because it is mostly near.
fn from(docs: &[DocId], doc: DocId) -> &[DocId] {
    let mut step = 1;
    while step < docs.len() && docs[step] < doc {
        step *= 2;
    }
    let (low, high) = (step / 2, docs.len().min(step + 1));
    &docs[low + docs[low..high].partition_point(|other| *other < doc)..]
}

fn exact_starts(index: &InvertedIndexReader, words: &[Lists], within: Option<&[DocId]>) -> Result<Starts> {
    let mut found = Starts::default();
    let read = |info| index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqsAndPositions);
    // The rarest word leads.
    let mut order: Vec<usize> = (0..words.len()).collect();
    order.sort_by_key(|word| words[*word][0].doc_freq);
    let lists = order[1..].iter().map(|word| Ok((*word as u32, read(&words[*word][0])?)));
    let mut others = lists.collect::<Result<Vec<_>>>()?;
    let lead = order[0] as u32;
    let (mut at, mut other_at) = (Vec::new(), Vec::new());
    each(read(&words[order[0]][0])?, within, |doc, postings| {
        for (_, other) in &mut others {
            let there = if other.doc() < doc { other.seek(doc) } else { other.doc() };
            if there != doc {
                return;
            }
        }
        postings.positions(&mut at);
        at.retain(|position| *position >= lead);
        at.iter_mut().for_each(|position| *position -= lead);
        for (word, other) in &mut others {
            if at.is_empty() {
                return;
            }
            other.positions(&mut other_at);
            keep_followed(&mut at, &other_at, *word);
        }
        found.push(doc, &at);
    });
    Ok(found)
}

/// Keeps what is in `other`, too, that much further. Both are in order.
fn keep_followed(at: &mut Vec<u32>, other: &[u32], further: u32) {
    let mut rest = other;
    at.retain(|position| {
        let wanted = position + further;
        rest = from(rest, wanted);
        rest.first() == Some(&wanted)
    });
}

fn starts_of_any(index: &InvertedIndexReader, lists: &Lists, within: Option<&[DocId]>) -> Result<Starts> {
    let (mut hits, mut at) = (Vec::new(), Vec::new());
    for info in lists {
        let postings = index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqsAndPositions)?;
        each(postings, within, |doc, postings| {
            postings.positions(&mut at);
            hits.extend(at.iter().map(|position| (doc, *position)));
        });
    }
    Ok(grouped(hits))
}

fn followed_by_any(index: &InvertedIndexReader, before: &Starts, lists: &Lists, further: u32) -> Result<Starts> {
    let (mut hits, mut at) = (Vec::new(), Vec::new());
    for info in lists {
        let postings = index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqsAndPositions)?;
        let mut place = 0;
        each(postings, Some(&before.docs), |doc, postings| {
            place += before.docs[place..].len() - from(&before.docs[place..], doc).len();
            postings.positions(&mut at);
            let starts = before.of(place);
            let is_start = |start: &u32| starts.binary_search(start).is_ok();
            let ends = at.iter().filter_map(|position| position.checked_sub(further));
            hits.extend(ends.filter(is_start).map(|start| (doc, start)));
        });
    }
    Ok(grouped(hits))
}

fn grouped(mut hits: Vec<(DocId, u32)>) -> Starts {
    hits.sort_unstable();
    let mut found = Starts::default();
    for hits in hits.chunk_by(|a, b| a.0 == b.0) {
        let at: Vec<u32> = hits.iter().map(|(_, position)| *position).collect();
        found.push(hits[0].0, &at);
    }
    found
}
