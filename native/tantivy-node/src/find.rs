// Follows a plan. A plan is first weighed with the statistics of all segments, so that a document's score does not depend on the
// segment it is in; then each segment gives the documents that it finds, with their scores, as a list in order. The members of an
// 'and' look only within what the ones before, which are rarer, have found.

use crate::failure::Result;
use crate::plan::{Phrase, Plan};
use crate::schema::{Kind, PIECES_FROM, WordField};
use crate::view::{Segment, View};
use crate::words::{self, Lists};
use std::cmp::Ordering;
use std::sync::Arc;
use tantivy::DocId;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::InvertedIndexReader;

/// The usual constants of BM25.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// Documents and their scores, in order of documents.
type Found = Vec<(DocId, f32)>;

#[derive(Clone, Copy, Debug)]
pub struct Hit {
    pub id: u64,
    pub score: f32,
}

enum Node {
    Leaf(Box<Leaf>),
    /// The rarest first.
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>, Box<Node>),
}

struct Leaf {
    field: WordField,
    distance: u32,
    /// The number of words of each phrase.
    lengths: Vec<u32>,
    /// For each segment, phrase and word.
    lists: Vec<Vec<Vec<Lists>>>,
    bm25: Bm25,
    cost: u64,
}

/// At most `limit` of what a plan finds, best first, from the `offset`-th on; among equals the lower id is first. Of texts only
/// those that are pieces, or only those that are not.
pub fn query(view: &View, plan: &Plan, limit: usize, offset: usize, pieces: bool) -> Result<Vec<Hit>> {
    let node = Node::of(plan, view)?;
    let mut hits = Vec::new();
    for (place, segment) in view.segments.iter().enumerate() {
        collect(segment, node.find(place, segment, None)?, &mut hits)?;
    }
    let kind = plan.field().kind();
    hits.retain(|hit| (kind == Kind::Texts && hit.id >= PIECES_FROM) == pieces);
    let end = offset.saturating_add(limit).min(hits.len());
    if end == 0 || offset >= end {
        return Ok(Vec::new());
    }
    if end < hits.len() {
        hits.select_nth_unstable_by(end - 1, better);
        hits.truncate(end);
    }
    hits.sort_unstable_by(better);
    Ok(hits.split_off(offset))
}

/// Which of these texts or files a plan finds.
pub fn among(view: &View, plan: &Plan, ids: &[u64]) -> Result<Vec<Hit>> {
    let node = Node::of(plan, view)?;
    let within = view.documents(plan.field().kind(), ids)?;
    let mut hits = Vec::new();
    for (place, segment) in view.segments.iter().enumerate() {
        if !within[place].is_empty() {
            collect(segment, node.find(place, segment, Some(&within[place]))?, &mut hits)?;
        }
    }
    Ok(hits)
}

fn better(a: &Hit, b: &Hit) -> Ordering {
    b.score.total_cmp(&a.score).then(a.id.cmp(&b.id))
}

fn collect(segment: &Segment, found: Found, hits: &mut Vec<Hit>) -> Result<()> {
    for (doc, score) in found {
        hits.push(Hit { id: segment.id(doc)?, score });
    }
    Ok(())
}

impl Node {
    fn of(plan: &Plan, view: &View) -> Result<Self> {
        let all = |of: &[Plan]| of.iter().map(|member| Self::of(member, view)).collect::<Result<Vec<_>>>();
        Ok(match plan {
            Plan::Near { field, phrases, distance } => {
                Node::Leaf(Box::new(Leaf::of(view, *field, phrases, *distance)?))
            }
            Plan::And(of) => {
                let mut members = all(of)?;
                // Here for all segments, so that the sum of scores is the same in each.
                members.sort_by_key(Node::cost);
                Node::And(members)
            }
            Plan::Or(of) => Node::Or(all(of)?),
            Plan::Not(include, exclude) => {
                Node::Not(Box::new(Self::of(include, view)?), Box::new(Self::of(exclude, view)?))
            }
        })
    }

    /// At most so many documents.
    fn cost(&self) -> u64 {
        match self {
            Node::Leaf(leaf) => leaf.cost,
            Node::And(of) => of.first().map_or(0, Node::cost),
            Node::Or(of) => of.iter().map(Node::cost).sum(),
            Node::Not(include, _) => include.cost(),
        }
    }

    fn find(&self, place: usize, segment: &Segment, within: Option<&[DocId]>) -> Result<Found> {
        match self {
            Node::Leaf(leaf) => leaf.find(place, segment, within),
            Node::And(of) => {
                let mut found: Option<Found> = None;
                for member in of {
                    found = Some(match found {
                        None => member.find(place, segment, within)?,
                        Some(found) if found.is_empty() => return Ok(found),
                        Some(found) => {
                            let other = member.find(place, segment, Some(&docs_of(&found)))?;
                            both(&found, &other)
                        }
                    });
                }
                Ok(found.unwrap_or_default())
            }
            Node::Or(of) => {
                let lists = of.iter().map(|member| member.find(place, segment, within)).collect::<Result<_>>()?;
                Ok(any(lists))
            }
            Node::Not(include, exclude) => {
                let mut found = include.find(place, segment, within)?;
                if !found.is_empty() {
                    let without = exclude.find(place, segment, Some(&docs_of(&found)))?;
                    let mut rest = without.iter().peekable();
                    found.retain(|(doc, _)| {
                        while rest.next_if(|(other, _)| other < doc).is_some() {}
                        rest.peek().is_none_or(|(other, _)| other != doc)
                    });
                }
                Ok(found)
            }
        }
    }
}

fn docs_of(found: &Found) -> Vec<DocId> {
    found.iter().map(|(doc, _)| *doc).collect()
}

/// What is in both; all of `other` is in `found`.
fn both(found: &Found, other: &Found) -> Found {
    let mut rest = found.iter();
    let sum = |(doc, score): &(DocId, f32)| {
        rest.find(|(found_doc, _)| found_doc == doc).map(|(_, found_score)| (*doc, found_score + score))
    };
    other.iter().filter_map(sum).collect()
}

/// What is in any list: pairs of neighbours are merged until one is left.
fn any(mut lists: Vec<Found>) -> Found {
    while lists.len() > 1 {
        let mut merged = Vec::with_capacity(lists.len().div_ceil(2));
        let mut rest = lists.into_iter();
        while let Some(first) = rest.next() {
            merged.push(match rest.next() {
                Some(second) => either(first, second),
                None => first,
            });
        }
        lists = merged;
    }
    lists.pop().unwrap_or_default()
}

fn either(a: Found, b: Found) -> Found {
    if a.is_empty() || b.is_empty() {
        return if a.is_empty() { b } else { a };
    }
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match a[i].0.cmp(&b[j].0) {
            Ordering::Less => merged.push(a[i]),
            Ordering::Greater => merged.push(b[j]),
            Ordering::Equal => merged.push((a[i].0, a[i].1 + b[j].1)),
        }
        let (x, y) = (a[i].0, b[j].0);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    merged.extend_from_slice(&a[i..]);
    merged.extend_from_slice(&b[j..]);
    merged
}

impl Leaf {
    fn of(view: &View, field: WordField, phrases: &[Phrase], distance: u32) -> Result<Self> {
        let mut lists = Vec::new();
        let (mut documents, mut words) = (0, 0);
        for segment in &view.segments {
            let index = segment.reader.inverted_index(field.field())?;
            documents += segment.count_all(field.kind())?;
            words += index.total_num_tokens();
            let of_phrase = |phrase: &Phrase| lists_of(&index, phrase);
            lists.push(phrases.iter().map(of_phrase).collect::<Result<Vec<_>>>()?);
        }
        let mut rarity = 0.0;
        let mut cost = u64::MAX;
        for (number, phrase) in phrases.iter().enumerate() {
            for word in 0..phrase.words.len() {
                let infos = lists.iter().flat_map(|segment: &Vec<Vec<Lists>>| &segment[number][word]);
                let having = infos.map(|info| u64::from(info.doc_freq)).sum::<u64>();
                rarity += rarity_of(having.min(documents), documents);
                cost = cost.min(having);
            }
        }
        let lengths = phrases.iter().map(|phrase| phrase.words.len() as u32).collect();
        let bm25 = Bm25::new(rarity, words as f32 / documents.max(1) as f32);
        Ok(Self { field, distance, lengths, lists, bm25, cost })
    }

    fn find(&self, place: usize, segment: &Segment, within: Option<&[DocId]>) -> Result<Found> {
        let lists = &self.lists[place];
        if lists.iter().flatten().any(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let index = segment.reader.inverted_index(self.field.field())?;
        let counts = match &lists[..] {
            [words] => match &words[..] {
                [word] => words::counts(&index, word, within, segment.reader.max_doc())?,
                words => {
                    let starts = words::starts(&index, words, within)?;
                    (0..starts.docs.len()).map(|i| (starts.docs[i], starts.of(i).len() as u32)).collect()
                }
            },
            phrases => self.near(&index, phrases, within)?,
        };
        let norms = segment.reader.get_fieldnorms_reader(self.field.field())?;
        let live = counts.into_iter().filter(|(doc, _)| segment.is_live(*doc));
        Ok(live.map(|(doc, count)| (doc, self.bm25.score(norms.fieldnorm_id(doc), count))).collect())
    }

    /// How many places end a stretch that holds all phrases, in each document that has one.
    fn near(
        &self,
        index: &Arc<InvertedIndexReader>,
        phrases: &[Vec<Lists>],
        within: Option<&[DocId]>,
    ) -> Result<Vec<(DocId, u32)>> {
        // The rarest phrase first; the others look only where it is.
        let mut order: Vec<usize> = (0..phrases.len()).collect();
        order.sort_by_key(|number| cost_of(&phrases[*number]));
        let mut found: Vec<(u32, words::Starts)> = Vec::new();
        for number in order {
            let within = found.last().map(|(_, starts)| &starts.docs[..]).or(within);
            found.push((self.lengths[number], words::starts(index, &phrases[number], within)?));
        }
        let Some((_, last)) = found.last() else { return Ok(Vec::new()) };
        let mut places = vec![0; found.len()];
        let mut counts = Vec::new();
        for doc in &last.docs {
            let mut starts = Vec::with_capacity(found.len());
            for ((length, phrase), place) in found.iter().zip(&mut places) {
                while phrase.docs[*place] < *doc {
                    *place += 1;
                }
                starts.push((*length, phrase.of(*place)));
            }
            let count = ends_near(&starts, self.distance);
            if count > 0 {
                counts.push((*doc, count));
            }
        }
        Ok(counts)
    }
}

fn cost_of(words: &[Lists]) -> u64 {
    let costs = words.iter().map(|lists| lists.iter().map(|info| u64::from(info.doc_freq)).sum());
    costs.min().unwrap_or(0)
}

fn lists_of(index: &InvertedIndexReader, phrase: &Phrase) -> Result<Vec<Lists>> {
    let last = phrase.words.len() - 1;
    let lists = phrase.words.iter().enumerate().map(|(place, word)| {
        if phrase.prefix && place == last {
            return lists_from(index, word);
        }
        Ok(index.terms().get(word)?.into_iter().collect())
    });
    lists.collect()
}

/// The lists of all words that begin so.
fn lists_from(index: &InvertedIndexReader, beginning: &str) -> Result<Lists> {
    let mut lists = Lists::new();
    let mut words = index.terms().range().ge(beginning).into_stream()?;
    while let Some((word, info)) = words.next() {
        if !word.starts_with(beginning.as_bytes()) {
            break;
        }
        lists.push(info.clone());
    }
    Ok(lists)
}

/// At how many places some phrase begins such that each begins there or before, and ends at most `distance` words before. FTS5
/// looks for such a place (fts5ExprNearIsMatch in fts5_expr.c). Each phrase comes with its length.
fn ends_near(phrases: &[(u32, &[u32])], distance: u32) -> u32 {
    let mut ends: Vec<u32> = phrases.iter().flat_map(|(_, starts)| starts.iter().copied()).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut places = vec![0; phrases.len()];
    let is_end = |end: &&u32| {
        phrases.iter().zip(&mut places).all(|((length, starts), place)| {
            // The last start that is not behind the end.
            while starts.get(*place + 1).is_some_and(|start| start <= *end) {
                *place += 1;
            }
            starts[*place] <= **end && **end <= starts[*place].saturating_add(*length).saturating_add(distance)
        })
    };
    ends.iter().filter(is_end).count() as u32
}

fn rarity_of(having: u64, documents: u64) -> f32 {
    (1.0 + (documents as f64 - having as f64 + 0.5) / (having as f64 + 0.5)).ln() as f32
}

struct Bm25 {
    weight: f32,
    /// What the length of a document adds, by tantivy's code for the length.
    lengths: [f32; 256],
}

impl Bm25 {
    fn new(rarity: f32, average: f32) -> Self {
        let of_length = |code: usize| {
            let length = FieldNormReader::id_to_fieldnorm(code as u8) as f32;
            K1 * (1.0 - B + B * length / average.max(1.0))
        };
        Self { weight: rarity * (1.0 + K1), lengths: std::array::from_fn(of_length) }
    }

    fn score(&self, length_code: u8, count: u32) -> f32 {
        let count = count as f32;
        self.weight * count / (count + self.lengths[length_code as usize])
    }
}
