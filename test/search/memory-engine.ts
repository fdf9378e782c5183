// A reference index that keeps documents in arrays and searches all of them for each query: what
// the engines must find, in the simplest code. Slow on purpose. Its order is BM25's, but the scores
// of another engine need not be the same.

import {
  type Field,
  type FileDocument,
  type Hit,
  type IndexBatch,
  type IndexStatus,
  type Phrase,
  PIECES_FROM,
  type Plan,
  type SearchEngine,
  type Stretch,
  type TextVersion,
  type Words,
} from '../../src/search/engine.ts'
import { StoreError } from '../../src/store/store.ts'

/** A new, empty index. */
export function openMemoryEngine(): SearchEngine {
  return new MemoryEngine()
}

type Fields = Partial<Readonly<Record<Field, readonly string[]>>>

interface Document {
  readonly id: number
  readonly fields: Fields
}

class MemoryEngine implements SearchEngine {
  readonly #texts = new Map<number, { document: Document; hash: string; bytes: number }>()
  readonly #files = new Map<number, { document: Document; bytes: number }>()
  /** By inode and number. */
  readonly #versions = new Map<string, TextVersion>()
  readonly #stretches = new Map<number, Stretch>()
  #watermark = 0
  #nextText = 1
  #nextPiece = PIECES_FROM
  #isOpen = true

  async apply(batch: IndexBatch): Promise<void> {
    this.#check()
    // What is removed and added in one batch is there afterwards.
    for (const id of batch.removedTexts) {
      this.#texts.delete(id)
      this.#stretches.delete(id)
    }
    for (const ino of batch.removedFiles) this.#files.delete(ino)
    for (const { ino, number } of batch.removedVersions) this.#versions.delete(`${ino}.${number}`)
    for (const { id, hash, body } of batch.texts) {
      this.#addText(id, body, hex(hash))
      this.#nextText = Math.max(this.#nextText, id + 1)
    }
    for (const { id, body } of batch.pieces) {
      this.#addText(id, body, '')
      this.#nextPiece = Math.max(this.#nextPiece, id + 1)
    }
    for (const stretch of batch.stretches) this.#stretches.set(stretch.id, stretch)
    for (const file of batch.files) this.#addFile(file)
    for (const version of batch.versions)
      this.#versions.set(`${version.ino}.${version.number}`, version)
    this.#watermark = batch.watermark
  }

  async flush(): Promise<void> {
    this.#check()
  }

  textsWith(hashes: readonly Uint8Array[]): (number | undefined)[] {
    this.#check()
    const ids = new Map([...this.#texts].map(([id, { hash }]) => [hash, id]))
    return hashes.map((hash) => ids.get(hex(hash)))
  }

  query(plan: Plan, limit: number, offset: number): Hit[] {
    return this.#best(plan, limit, offset, false)
  }

  queryPieces(plan: Plan, limit: number, offset: number): Hit[] {
    return this.#best(plan, limit, offset, true)
  }

  #best(plan: Plan, limit: number, offset: number, pieces: boolean): Hit[] {
    this.#check()
    return this.#find(plan)
      .filter(({ id }) => (kindOf(plan) === 'texts' && id >= PIECES_FROM) === pieces)
      .sort((a, b) => b.score - a.score || a.id - b.id)
      .slice(offset, offset + limit)
  }

  among(plan: Plan, ids: readonly number[]): Hit[] {
    this.#check()
    const wanted = new Set(ids)
    return this.#find(plan).filter(({ id }) => wanted.has(id))
  }

  versionsOf(text: number): TextVersion[] {
    this.#check()
    return this.#sortedVersions().filter((version) => version.text === text)
  }

  textOf(ino: number, number: number): number | undefined {
    this.#check()
    return this.#versions.get(`${ino}.${number}`)?.text
  }

  versionsOfFile(ino: number): TextVersion[] {
    this.#check()
    return this.#sortedVersions().filter((version) => version.ino === ino)
  }

  stretches(ids: readonly number[]): Stretch[] {
    this.#check()
    return ids.flatMap((id) => this.#stretches.get(id) ?? [])
  }

  stretchesOfFile(ino: number): Stretch[] {
    this.#check()
    return [...this.#stretches.values()]
      .filter((stretch) => stretch.ino === ino)
      .sort((a, b) => a.id - b.id)
  }

  unusedTexts(from: number, limit: number): number[] {
    this.#check()
    const used = new Set([...this.#versions.values()].map(({ text }) => text))
    return [...this.#texts.keys()]
      .filter((id) => id >= from && id < PIECES_FROM && !used.has(id))
      .sort((a, b) => a - b)
      .slice(0, limit)
  }

  status(): IndexStatus {
    this.#check()
    const stored = [...this.#texts.values(), ...this.#files.values()]
    return {
      texts: this.#texts.size - this.#stretches.size,
      files: this.#files.size,
      versions: this.#versions.size,
      watermark: this.#watermark,
      nextText: this.#nextText,
      nextPiece: this.#nextPiece,
      bytes: stored.reduce((sum, { bytes }) => sum + bytes, 0),
    }
  }

  async clear(): Promise<void> {
    this.#check()
    this.#texts.clear()
    this.#files.clear()
    this.#versions.clear()
    this.#stretches.clear()
    this.#watermark = 0
  }

  async optimize(): Promise<void> {
    this.#check()
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #check(): void {
    if (!this.#isOpen) throw new StoreError('closed', 'the index is closed')
  }

  #addText(id: number, body: Words, hash: string): void {
    const fields = { body: wordsIn(body.parts), bodyWhole: wordsIn(body.whole) }
    this.#texts.set(id, { document: { id, fields }, hash, bytes: bytesOf(body) })
  }

  #addFile({ ino, name, path }: FileDocument): void {
    const fields = {
      name: wordsIn(name.parts),
      nameWhole: wordsIn(name.whole),
      path: wordsIn(path.parts),
      pathWhole: wordsIn(path.whole),
    }
    this.#files.set(ino, {
      document: { id: ino, fields },
      bytes: bytesOf(name) + bytesOf(path),
    })
  }

  #find(plan: Plan): Hit[] {
    const isOfTexts = kindOf(plan) === 'texts'
    const stored = isOfTexts ? this.#texts.values() : this.#files.values()
    const documents = [...stored].map(({ document }) => document)
    return [...scoresOf(plan, documents)].map(([id, score]) => ({ id, score }))
  }

  #sortedVersions(): TextVersion[] {
    return [...this.#versions.values()].sort((a, b) => a.ino - b.ino || a.number - b.number)
  }
}

/**
 * Whether a plan is of texts or of files; throws for one that mixes them, or has nothing to find.
 */
function kindOf(plan: Plan): 'texts' | 'files' {
  if (plan.kind === 'phrase' || plan.kind === 'near') {
    if ((plan.kind === 'near' ? plan.phrases : [plan]).some(({ words }) => words.length === 0))
      throw new Error('a phrase without words')
    return plan.field === 'body' || plan.field === 'bodyWhole' ? 'texts' : 'files'
  }
  const [first, ...others] = plan.kind === 'not' ? [plan.include, plan.exclude] : plan.of
  if (first === undefined) throw new Error(`'${plan.kind}' of nothing`)
  const kind = kindOf(first)
  if (others.some((other) => kindOf(other) !== kind))
    throw new Error('a plan of both texts and files')
  return kind
}

/** The documents that a plan finds, and how well each fits. */
function scoresOf(plan: Plan, documents: readonly Document[]): Map<number, number> {
  switch (plan.kind) {
    case 'phrase':
    case 'near':
      return scoresOfLeaf(plan, documents)
    case 'and':
      return plan.of.map((member) => scoresOf(member, documents)).reduce(intersection)
    case 'or':
      return plan.of.map((member) => scoresOf(member, documents)).reduce(union)
    case 'not': {
      const excluded = scoresOf(plan.exclude, documents)
      return new Map([...scoresOf(plan.include, documents)].filter(([id]) => !excluded.has(id)))
    }
  }
}

function intersection(a: Map<number, number>, b: Map<number, number>): Map<number, number> {
  return new Map([...a].filter(([id]) => b.has(id)).map(([id, score]) => [id, score + at(b, id)]))
}

function union(a: Map<number, number>, b: Map<number, number>): Map<number, number> {
  return new Map([...a.keys(), ...b.keys()].map((id) => [id, at(a, id) + at(b, id)]))
}

function at(scores: ReadonlyMap<number, number>, id: number): number {
  return scores.get(id) ?? 0
}

/** BM25 with the usual constants, where a phrase counts like a word. */
function scoresOfLeaf(
  leaf: Plan & { kind: 'phrase' | 'near' },
  documents: readonly Document[],
): Map<number, number> {
  const found: { id: number; times: number; length: number }[] = []
  let total = 0
  for (const { id, fields } of documents) {
    const words = fields[leaf.field] ?? []
    total += words.length
    const times = leaf.kind === 'phrase' ? startsOf(leaf, words).length : timesNear(leaf, words)
    if (times > 0) found.push({ id, times, length: words.length })
  }
  const average = total / Math.max(1, documents.length)
  const rarity = Math.log(1 + (documents.length - found.length + 0.5) / (found.length + 0.5))
  return new Map(
    found.map(({ id, times, length }) => [
      id,
      (rarity * times * 2.2) / (times + 1.2 * (0.25 + (0.75 * length) / average)),
    ]),
  )
}

/** Where a phrase begins among words. */
export function startsOf(phrase: Phrase, words: readonly string[]): number[] {
  const last = phrase.words.length - 1
  const isAt = (start: number): boolean =>
    phrase.words.every((word, index) => {
      const there = words[start + index]
      return phrase.prefix && index === last ? there?.startsWith(word) : there === word
    })
  return words.flatMap((_, start) => (isAt(start) ? [start] : []))
}

/**
 * How many places end a stretch that holds all phrases: some phrase begins there, and each phrase
 * begins there or before and ends at most `distance` words before. So phrases may overlap, and
 * NEAR(a a) finds a single a: FTS5 does the same (fts5ExprNearIsMatch in fts5_expr.c).
 */
function timesNear(near: Plan & { kind: 'near' }, words: readonly string[]): number {
  const starts = near.phrases.map((phrase) => startsOf(phrase, words))
  const isEnd = (end: number): boolean =>
    near.phrases.every(({ words: { length } }, index) =>
      starts[index]?.some((start) => start <= end && end - (start + length) <= near.distance),
    )
  return [...new Set(starts.flat())].filter(isEnd).length
}

function wordsIn(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}

function bytesOf({ parts, whole }: Words): number {
  return Buffer.byteLength(parts) + Buffer.byteLength(whole)
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex')
}
