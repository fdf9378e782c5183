// Applies one batch after the other until it is killed, and flushes every few: batch i has text i,
// file i and version 1 of inode i, and replaces the one version of inode 0. Prints i when a flush
// after batch i has resolved.

import { writeSync } from 'node:fs'
import { openTantivy } from '../../src/search/tantivy.ts'
import { batchOf, file, text } from './plans.ts'

const engine = await openTantivy(process.argv[2] as string, { create: true })

let flushed: Promise<void> = Promise.resolve()
for (let i = engine.status().watermark + 1; ; i++) {
  const words = { parts: `all n${i}`, whole: '' }
  const applied = engine.apply(
    batchOf({
      texts: [text(i, `${words.parts} ${'some more words '.repeat(i % 50)}`)],
      files: [file(i, words, words)],
      versions: [
        { ino: i, number: 1, text: i },
        { ino: 0, number: 1, text: i },
      ],
      watermark: i,
    }),
  )
  if (i % 5 === 0) {
    await flushed
    flushed = engine.flush().then(() => void writeSync(1, `${i}\n`))
  }
  if (i % 15 === 0) void engine.optimize()
  await applied
}
