// What a document of the index is. Four kinds lie beside each other in its segments: texts, files, versions and stretches. Each is
// known by terms of the field `key`; numbers in it are big-endian, 8 bytes each:
//
//   text      't'   'T' id    'H' hash                   its id in the column `a`
//   file      'f'   'F' ino                              its ino in `a`
//   version   'v'   'V' ino number    'X' text           its ino, number and text in `a`, `b` and `c`
//   stretch   's'   'P' id    'S' ino id                 its id, ino, first, last, start and end in `a` to `f`
//
// A piece is a text whose id lies beyond all others; it has no hash but a stretch, which says where and when it is. The other fields hold words, which are split at spaces and at nothing else. Nothing is stored beside that.

use crate::failure::{Failure, Result};
use tantivy::Term;
use tantivy::index::IndexSettings;
use tantivy::schema::{
    BytesOptions, FAST, Field, IndexRecordOption, Schema, TantivyDocument, TextFieldIndexing, TextOptions,
};
use tantivy::store::Compressor;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

const TOKENIZER: &str = "spaces";

pub const KEY: Field = Field::from_field_id(0);
const FIRST_WORDS: u32 = 1 + COLUMNS.len() as u32;
/// The columns by their names.
pub const COLUMNS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Ids of pieces begin here, those of whole texts lie below.
pub const PIECES_FROM: u64 = 1 << 48;

/// The fields of words, as JavaScript calls them.
const WORDS: [&str; 6] = ["body", "bodyWhole", "name", "nameWhole", "path", "pathWhole"];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Texts,
    Files,
    Versions,
    Stretches,
}

impl Kind {
    /// The term that all documents of a kind have.
    pub fn key(self) -> &'static [u8] {
        match self {
            Kind::Texts => b"t",
            Kind::Files => b"f",
            Kind::Versions => b"v",
            Kind::Stretches => b"s",
        }
    }
}

/// A field of words, by its place among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordField(usize);

impl WordField {
    pub fn named(name: &str) -> Result<Self> {
        let found = WORDS.iter().position(|known| *known == name);
        found.map(Self).ok_or_else(|| Failure::misuse(format!("there is no field {name:?}")))
    }

    pub fn field(self) -> Field {
        Field::from_field_id(FIRST_WORDS + self.0 as u32)
    }

    pub fn kind(self) -> Kind {
        if self.0 < 2 { Kind::Texts } else { Kind::Files }
    }

    /// Whether its words have an order.
    pub fn is_ordered(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

pub fn schema() -> Schema {
    let mut schema = Schema::builder();
    schema.add_bytes_field("key", BytesOptions::default().set_indexed());
    for name in COLUMNS {
        schema.add_u64_field(name, FAST);
    }
    for (place, name) in WORDS.iter().enumerate() {
        let option = if WordField(place).is_ordered() {
            IndexRecordOption::WithFreqsAndPositions
        } else {
            IndexRecordOption::WithFreqs
        };
        let indexing =
            TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_index_option(option).set_fieldnorms(true);
        schema.add_text_field(name, TextOptions::default().set_indexing_options(indexing));
    }
    schema.build()
}

pub fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

pub fn register(index: &tantivy::Index) {
    index.tokenizers().register(TOKENIZER, Spaces::default());
}

/// A letter, and numbers: the term of one document, or what such terms begin with.
pub fn key(letter: u8, numbers: &[u64]) -> Vec<u8> {
    let mut bytes = vec![letter];
    for number in numbers {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes
}

pub fn hash_key(hash: &[u8]) -> Vec<u8> {
    [b"H", hash].concat()
}

pub fn text_key(id: u64) -> Vec<u8> {
    key(b'T', &[id])
}

pub fn file_key(ino: u64) -> Vec<u8> {
    key(b'F', &[ino])
}

pub fn version_key(ino: u64, number: u64) -> Vec<u8> {
    key(b'V', &[ino, number])
}

pub fn stretch_key(id: u64) -> Vec<u8> {
    key(b'P', &[id])
}

pub fn term(key: &[u8]) -> Term {
    Term::from_field_bytes(KEY, key)
}

/// The parts of words, in their order, and whole identifiers.
pub struct Words {
    pub parts: String,
    pub whole: String,
}

pub struct Text {
    pub id: u64,
    pub hash: Vec<u8>,
    pub body: Words,
}

pub struct FileNames {
    pub ino: u64,
    pub name: Words,
    pub path: Words,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub ino: u64,
    pub number: u64,
    pub text: u64,
}

pub struct Piece {
    pub id: u64,
    pub body: Words,
}

/// Where and when a piece is: bytes [start, end) of versions first to last of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    pub id: u64,
    pub ino: u64,
    pub first: u64,
    pub last: u64,
    pub start: u64,
    pub end: u64,
}

impl Piece {
    pub fn document(&self) -> TantivyDocument {
        let mut document = document(Kind::Texts, &[&text_key(self.id)], &[self.id]);
        add_words(&mut document, 0, &self.body);
        document
    }
}

impl Stretch {
    pub fn document(&self) -> TantivyDocument {
        let Self { id, ino, first, last, start, end } = *self;
        let keys = [stretch_key(id), key(b'S', &[ino, id])];
        document(Kind::Stretches, &[&keys[0], &keys[1]], &[id, ino, first, last, start, end])
    }
}

impl Text {
    pub fn document(&self) -> TantivyDocument {
        let mut document = document(Kind::Texts, &[&text_key(self.id), &hash_key(&self.hash)], &[self.id]);
        add_words(&mut document, 0, &self.body);
        document
    }
}

impl FileNames {
    pub fn document(&self) -> TantivyDocument {
        let mut document = document(Kind::Files, &[&file_key(self.ino)], &[self.ino]);
        add_words(&mut document, 2, &self.name);
        add_words(&mut document, 4, &self.path);
        document
    }
}

impl Version {
    pub fn document(&self) -> TantivyDocument {
        let Self { ino, number, text } = *self;
        document(Kind::Versions, &[&version_key(ino, number), &key(b'X', &[text])], &[ino, number, text])
    }
}

fn document(kind: Kind, keys: &[&[u8]], columns: &[u64]) -> TantivyDocument {
    let mut document = TantivyDocument::new();
    document.add_bytes(KEY, kind.key());
    for key in keys {
        document.add_bytes(KEY, key);
    }
    for (column, value) in (1..).zip(columns) {
        document.add_u64(Field::from_field_id(column), *value);
    }
    document
}

fn add_words(document: &mut TantivyDocument, place: usize, words: &Words) {
    for (place, text) in [(place, &words.parts), (place + 1, &words.whole)] {
        if !text.is_empty() {
            document.add_text(WordField(place).field(), text);
        }
    }
}

/// Splits at single spaces.
#[derive(Clone, Default)]
struct Spaces {
    token: Token,
}

struct SpacesStream<'a> {
    text: &'a str,
    next: usize,
    token: &'a mut Token,
}

impl Tokenizer for Spaces {
    type TokenStream<'a> = SpacesStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> SpacesStream<'a> {
        self.token.reset();
        SpacesStream { text, next: 0, token: &mut self.token }
    }
}

impl TokenStream for SpacesStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(rest) = self.text.get(self.next..).filter(|rest| !rest.is_empty()) else { return false };
        let length = space_in(rest.as_bytes());
        self.token.text.clear();
        self.token.text.push_str(&rest[..length]);
        self.token.offset_from = self.next;
        self.token.offset_to = self.next + length;
        self.token.position = self.token.position.wrapping_add(1);
        self.next += length + 1;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// Where the first space is, or else the end.
fn space_in(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len())
}
