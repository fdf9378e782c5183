// The types of tantivy-node. An index holds texts and files, each with words that the caller has cut and folded, and versions,
// which say which file has which text.

/** tantivy's own version. */
export const VERSION: string

/**
 * What calls throw or reject with, beside TypeError for arguments that are wrong:
 * busy: somebody else has the index open; full: the disk; corrupt: it must be rebuilt; locked: it was opened to read;
 * closed: it was closed; io: it cannot be read or written; format: the folder holds something else;
 * limit: a plan of more than 1,000 words or deeper than 100.
 */
export interface TantivyError extends Error {
  readonly kind: 'busy' | 'full' | 'corrupt' | 'locked' | 'closed' | 'io' | 'format' | 'limit'
}

export interface OpenOptions {
  /** Makes the index where there is none. */
  readonly create?: boolean
  /** Makes a new one, whatever is there: a damaged one, too, but nothing that is no index. */
  readonly rebuild?: boolean
  /** Beside others who read, but beside nobody who writes. */
  readonly readOnly?: boolean
  /** What a batch may take in memory before it is written, 32 MiB if not given. */
  readonly heapBytes?: number
}

/** Words separated by single spaces: the parts in order, and whole identifiers without order. */
export interface Words {
  readonly parts: string
  readonly whole: string
}

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

/** Version `number` of file `ino` has this text; 0: none. */
export interface TextVersion {
  readonly ino: number
  readonly number: number
  readonly text: number
}

/** A part of a text that changes little from version to version; its id is 2^48 or above. */
export interface PieceDocument {
  readonly id: number
  readonly body: Words
}

/** Where and when a piece is: bytes [start, end) of versions `first` to `last` of a file. */
export interface Stretch {
  readonly id: number
  readonly ino: number
  readonly first: number
  readonly last: number
  readonly start: number
  readonly end: number
}

/** What is removed goes first, stretches with their pieces. Files, versions and stretches replace those with their keys. */
export interface Batch {
  readonly texts: readonly TextDocument[]
  readonly files: readonly FileDocument[]
  readonly versions: readonly TextVersion[]
  readonly pieces: readonly PieceDocument[]
  readonly stretches: readonly Stretch[]
  readonly removedTexts: readonly number[]
  readonly removedFiles: readonly number[]
  readonly removedVersions: readonly { readonly ino: number; readonly number: number }[]
  /** Any number: `status` gives that of the newest batch. */
  readonly watermark: number
}

/** The first two are of texts, the others of files. Those that end in Whole have no order, so that they hold no phrases. */
export type Field = 'body' | 'bodyWhole' | 'name' | 'nameWhole' | 'path' | 'pathWhole'

/** Words next to each other; with `prefix` the last is the beginning of a word. */
export interface Phrase {
  readonly words: readonly string[]
  readonly prefix: boolean
}

/** What to find, in texts or in files. `near` is FTS5's NEAR. */
export type Plan =
  | ({ readonly kind: 'phrase'; readonly field: Field } & Phrase)
  | {
      readonly kind: 'near'
      readonly field: Field
      readonly phrases: readonly Phrase[]
      /** At most so many words between the end of the first phrase and the beginning of the last. */
      readonly distance: number
    }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Plan[] }
  | { readonly kind: 'not'; readonly include: Plan; readonly exclude: Plan }

/** A text's id or a file's ino, with its score by BM25. */
export interface Hit {
  readonly id: number
  readonly score: number
}

export interface IndexStatus {
  readonly texts: number
  readonly files: number
  readonly versions: number
  /** 0: there was no batch. */
  readonly watermark: number
  /** Above every id of a text that there ever was. */
  readonly nextText: number
  /** The same of pieces. */
  readonly nextPiece: number
  readonly bytes: number
}

/**
 * An open index. Calls that answer a promise run on a thread of their own in the order of the calls; those that answer at
 * once see all batches whose promise has resolved, and none in part.
 */
export class TantivyIndex {
  private constructor()
  /** Resolves when queries see the batch; rejects when nothing of it is in. It is copied before the call returns. */
  apply(batch: Batch): Promise<void>
  /** Makes all batches so far durable. After a crash the index is as it was at the last flush. */
  flush(): Promise<void>
  /** At most `limit`, best first, from the `offset`-th on; among equals the lower id first. */
  query(plan: Plan, limit: number, offset: number): Hit[]
  /** The same of pieces, which `query` leaves out. */
  queryPieces(plan: Plan, limit: number, offset: number): Hit[]
  /** Which of these texts or files the plan finds, in no order. */
  among(plan: Plan, ids: readonly number[]): Hit[]
  textsWith(hashes: readonly Uint8Array[]): (number | null)[]
  /** By ino and number. */
  versionsOf(text: number): TextVersion[]
  /** null: there is no such version; 0: it is no text. */
  textOf(ino: number, number: number): number | null
  /** By number. */
  versionsOfFile(ino: number): TextVersion[]
  stretches(ids: readonly number[]): Stretch[]
  /** By id. */
  stretchesOfFile(ino: number): Stretch[]
  /** The first texts from an id on that are of no version. */
  unusedTexts(from: number, limit: number): number[]
  status(): IndexStatus
  /** Removes all documents. */
  clear(): Promise<void>
  /** Makes one piece of all, and flushes. Rejects with 'closed' when the index is closed meanwhile. */
  optimize(): Promise<void>
  /** Flushes and closes. Later calls throw 'closed'. */
  close(): Promise<void>
}

/** Opens the index in a folder, and reads all of it once to compare checksums. */
export function open(path: string, options?: OpenOptions): Promise<TantivyIndex>
