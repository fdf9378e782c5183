// Walks the inodes of which prune may have something to drop, in order of number: those with past
// rows, and deleted ones that still have rows of the present. Durable rows only; see rows.ts.

import {
  type Collection,
  extent,
  extentPast,
  inodePast,
  inode as inodes,
  tagging,
  taggingPast,
  version,
  xattr,
  xattrPast,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import type { Slices } from '../core/time-slices.ts'

type OfInode = Collection<{ ino: number }>

const PAGE_ROWS = 512
const PASTS = [version, inodePast, extentPast, xattrPast, taggingPast] as unknown as OfInode[]
const PRESENTS = [extent, xattr, tagging] as unknown as OfInode[]

/** Inode numbers, each once. */
export async function* walkInodes(core: Core, slices: Slices): AsyncGenerator<number> {
  const live = await start(core, inodes as unknown as OfInode, slices)
  const pasts = await Promise.all(PASTS.map((its) => start(core, its, slices)))
  const presents = await Promise.all(PRESENTS.map((its) => start(core, its, slices)))
  const all = [live, ...pasts, ...presents]
  for (;;) {
    const ino = Math.min(...all.map(({ at }) => at))
    if (ino === Number.POSITIVE_INFINITY) return
    if (live.at !== ino || pasts.some(({ at }) => at === ino)) yield ino
    for (const walk of all) if (walk.at === ino) await step(walk)
  }
}

interface Walk {
  at: number
  readonly numbers: AsyncGenerator<number>
}

async function start(core: Core, collection: OfInode, slices: Slices): Promise<Walk> {
  const walk = { at: 0, numbers: numbersOf(core, collection, slices) }
  await step(walk)
  return walk
}

async function step(walk: Walk): Promise<void> {
  const { value, done } = await walk.numbers.next()
  walk.at = done === true ? Number.POSITIVE_INFINITY : value
}

/** The inode numbers in a collection; of each inode's rows at most one page is read. */
async function* numbersOf(core: Core, collection: OfInode, slices: Slices): AsyncGenerator<number> {
  for (let next = 0; ; ) {
    const range = { gte: [next], limit: PAGE_ROWS }
    const rows = await retryUntilLoaded(() =>
      core.overlay.store.project(collection, ['ino'], range),
    )
    for (const { ino } of rows)
      if (ino >= next) {
        next = ino + 1
        yield ino
      }
    if (rows.length < PAGE_ROWS) return
    await slices.turn()
  }
}
