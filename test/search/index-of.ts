// An index of a few files that are given as a table, for tests of queries.

import { createHash } from 'node:crypto'
import { wordsOf } from '../../src/search/analyze.ts'
import type { IndexBatch, SearchEngine, TextVersion } from '../../src/search/engine.ts'
import { openMemoryEngine } from './memory-engine.ts'

/**
 * `versions` are contents, oldest first; undefined is one that is no text. Its inode is its place
 * in the table, from 1.
 */
export interface IndexedFile {
  readonly path: string
  readonly versions: readonly (string | undefined)[]
}

/** One batch that has these files, each distinct text once. */
export function batchOf(files: readonly IndexedFile[]): IndexBatch {
  const contents = files.flatMap(({ versions }) => versions).filter((text) => text !== undefined)
  const ids = new Map([...new Set(contents)].map((text, index) => [text, index + 1]))
  return {
    texts: [...ids].map(([text, id]) => ({ id, hash: hashOf(text), body: wordsOf(text) })),
    files: files.map(({ path }, index) => ({
      ino: index + 1,
      name: wordsOf(path.slice(path.lastIndexOf('/') + 1)),
      path: wordsOf(path),
    })),
    versions: files.flatMap(({ versions }, index) =>
      versions.map((text, before): TextVersion => {
        const id = text === undefined ? 0 : (ids.get(text) ?? 0)
        return { ino: index + 1, number: before + 1, text: id }
      }),
    ),
    pieces: [],
    stretches: [],
    removedTexts: [],
    removedFiles: [],
    removedVersions: [],
    watermark: 1,
  }
}

export async function indexOf(files: readonly IndexedFile[]): Promise<SearchEngine> {
  const engine = openMemoryEngine()
  await engine.apply(batchOf(files))
  return engine
}

function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
