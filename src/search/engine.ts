// What search asks of an index: to take documents in, a batch at a time, and to find them by words.
// Two engines fulfil it: FTS5 within a vault on SQLite, tantivy beside all others. Both are given
// words that analyze.ts has cut and folded, so that neither decides what a word is, and both find
// the same. Knows no vault and no query language.
//
// Three kinds of documents. A text is the content of a file, kept once however many versions and
// copies have it. A file is an inode with its name and path as they are now, or as they were last.
// `versions` says which versions have which text.
//
// A text that changes a little from version to version (a log) is kept as pieces instead: each is a
// part of it, with some of the text around, and lives from one version to another. Its stretch says
// where and when. Any CONTEXT_WORDS in a row of such a version are in one of its pieces at least,
// so that what is near each other is found in one.

/**
 * Where words are. `body` is of texts, `name` and `path` are of files; a path ends with the name.
 * Each has its words in order, the parts of an identifier as words of their own (fooBar: foo bar),
 * and beside it, without order, the identifiers that have parts as one word each (foobar).
 */
export type Field = 'body' | 'bodyWhole' | 'name' | 'nameWhole' | 'path' | 'pathWhole'

/**
 * Words next to each other in this order, at least one; with `prefix` the last one is only the
 * beginning of a word.
 */
export interface Phrase {
  readonly words: readonly string[]
  readonly prefix: boolean
}

/**
 * What to find. All fields of one plan are of texts, or all are of files. `near` is FTS5's NEAR:
 * some stretch of the field holds each phrase, with at most `distance` words between the end of the
 * first and the beginning of the last phrase in it. 'and' and 'or' have at least one member.
 */
export type Plan =
  | ({ readonly kind: 'phrase'; readonly field: Field } & Phrase)
  | {
      readonly kind: 'near'
      readonly field: Field
      readonly phrases: readonly Phrase[]
      readonly distance: number
    }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Plan[] }
  | { readonly kind: 'not'; readonly include: Plan; readonly exclude: Plan }

/** Words separated by single spaces, in Unicode as analyze.ts folds them; '' for none. */
export interface Words {
  readonly parts: string
  readonly whole: string
}

/** `hash` is the SHA-256 of the file's bytes, 32 bytes long. */
export interface TextDocument {
  readonly id: number
  readonly hash: Uint8Array
  readonly body: Words
}

export interface FileDocument {
  readonly ino: number
  readonly name: Words
  readonly path: Words
}

/** Ids of pieces begin here, those of texts are lower. */
export const PIECES_FROM = 2 ** 48
/** The text of a version that is kept in pieces. */
export const IN_PIECES = PIECES_FROM - 1
/** The last version of a piece that is still in its file. */
export const OPEN_ENDED = Number.MAX_SAFE_INTEGER
/** So many words in a row are in one piece. */
export const CONTEXT_WORDS = 32

export interface PieceDocument {
  readonly id: number
  readonly body: Words
}

/**
 * A piece is in versions `first` to `last` of a file; while that is OPEN_ENDED, it is the bytes
 * [start, end) of the newest one.
 */
export interface Stretch {
  readonly id: number
  readonly ino: number
  readonly first: number
  readonly last: number
  readonly start: number
  readonly end: number
}

/**
 * Version `number` of an inode has text `text`; text 0: it is no text, or is too large. IN_PIECES:
 * its stretches tell.
 */
export interface TextVersion {
  readonly ino: number
  readonly number: number
  readonly text: number
}

/**
 * What becomes part of the index at once, or not at all. Texts have ids that were never used
 * before, from `status().nextText` on, pieces such from `nextPiece` on, each with its stretch.
 * Files, versions and stretches replace those with their keys; those that are removed need not be
 * there. A piece is removed as a text, and its stretch with it.
 */
export interface IndexBatch {
  readonly texts: readonly TextDocument[]
  readonly files: readonly FileDocument[]
  readonly versions: readonly TextVersion[]
  readonly pieces: readonly PieceDocument[]
  readonly stretches: readonly Stretch[]
  readonly removedTexts: readonly number[]
  readonly removedFiles: readonly number[]
  readonly removedVersions: readonly { readonly ino: number; readonly number: number }[]
  /** Everything that the vault held up to this moment is in the index with this batch. */
  readonly watermark: number
}

/**
 * `id` is a text's or a file's ino; `score` is higher for what fits better, by BM25 or much the
 * same.
 */
export interface Hit {
  readonly id: number
  readonly score: number
}

export interface IndexStatus {
  readonly texts: number
  readonly files: number
  readonly versions: number
  /** That of the newest batch; 0: none. */
  readonly watermark: number
  /** Above every id that was ever given. */
  readonly nextText: number
  /** The same of pieces. */
  readonly nextPiece: number
  /** On the disk. */
  readonly bytes: number
}

/**
 * An index, open in one thread. Its batches are durable only some time after, in their order: after
 * a crash it is as it was after one of them. Calls throw StoreError: 'corrupt' when it must be
 * rebuilt, 'full', 'io', 'closed'.
 */
export interface SearchEngine {
  /** Resolves when queries see the batch. A second call may be made before. */
  apply(batch: IndexBatch): Promise<void>
  /** Makes all batches so far durable. */
  flush(): Promise<void>
  /** The texts with these hashes; undefined where there is none. */
  textsWith(hashes: readonly Uint8Array[]): (number | undefined)[]
  /**
   * At most `limit`, best first, from the `offset`-th on; the order among equals does not change
   * between calls.
   */
  query(plan: Plan, limit: number, offset: number): Hit[]
  /** The same of pieces; those of a plan of texts are found here alone. */
  queryPieces(plan: Plan, limit: number, offset: number): Hit[]
  /** Which of these the plan finds, pieces too, with their scores, in no order. */
  among(plan: Plan, ids: readonly number[]): Hit[]
  /** All versions that have a text, by inode and number. */
  versionsOf(text: number): TextVersion[]
  /** The text of that version; undefined when it is not in the index, 0 when it is no text. */
  textOf(ino: number, number: number): number | undefined
  /** What is indexed of versions of this inode, by number. */
  versionsOfFile(ino: number): TextVersion[]
  /** Those of pieces, as far as they are there. */
  stretches(ids: readonly number[]): Stretch[]
  /** All of an inode, by id. */
  stretchesOfFile(ino: number): Stretch[]
  /**
   * Texts, no pieces, from an id on that are of no version any more, at most `limit`: to be
   * removed.
   */
  unusedTexts(from: number, limit: number): number[]
  status(): IndexStatus
  /** Empties it. */
  clear(): Promise<void>
  /** Merges what is in pieces, for speed and size. */
  optimize(): Promise<void>
  close(): Promise<void>
}
