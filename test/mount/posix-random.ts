// Random writes, truncations and holes against a plain model in memory: what fsx does, small enough
// for every run.

import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { dropCaches } from '../support/caches.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import type { Table } from '../support/table.ts'

const SIZE_MAX = 600_000

export const randomWrites: Table = {
  'a thousand random reads, writes and truncations match a model': (dir, { t, sys }) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const path = join(dir, 'f')
    let model = Buffer.alloc(0)
    let fd = openSync(path, 'w+')
    const resize = (size: number): void => {
      const next = Buffer.alloc(size)
      model.copy(next)
      model = next
    }
    const compare = (offset: number, length: number, step: number): void => {
      const found = Buffer.alloc(length)
      const count = readSync(fd, found, 0, length, offset)
      const wanted = model.subarray(offset, offset + length)
      if (found.subarray(0, count).equals(wanted)) return
      let at = 0
      while (at < wanted.length && found[at] === wanted[at]) at++
      throw new Error(`step ${step}: read ${count} at ${offset}, not equal at ${offset + at}`)
    }
    for (let step = 0; step < 1000; step++) {
      const offset = random.below(SIZE_MAX)
      const length = 1 + random.below(random.below(4) === 0 ? 150_000 : 5000)
      switch (random.below(10)) {
        case 0: {
          ftruncateSync(fd, offset)
          resize(offset)
          break
        }
        case 1: {
          sys('open f O_RDWR', `fallocate 0 punch,keep ${offset} ${length}`)
          model.subarray(offset, offset + length).fill(0)
          break
        }
        case 2: {
          closeSync(fd)
          if (random.below(4) === 0) dropCaches()
          fd = openSync(path, 'r+')
          break
        }
        case 3:
        case 4:
        case 5: {
          compare(offset, length, step)
          break
        }
        default: {
          const bytes = random.bytes(length)
          writeSync(fd, bytes, 0, length, offset)
          if (model.length < offset + length) resize(offset + length)
          bytes.copy(model, offset)
        }
      }
      if (fstatSync(fd).size !== model.length) {
        throw new Error(`step ${step}: size ${fstatSync(fd).size}, not ${model.length}`)
      }
    }
    closeSync(fd)
    dropCaches()
    fd = openSync(path, 'r')
    compare(0, model.length + 1, 1000)
    closeSync(fd)
  },
}
