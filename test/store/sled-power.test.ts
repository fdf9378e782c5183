// What sled may lose on a disk whose power is cut, and what native/sled does about it.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize } from 'node:v8'
import t from 'tap'
import { ROWS } from '../../src/store/kv/engine.ts'
import { openSled } from '../../src/store/sled.ts'
import type { Recorded } from '../support/disk/events.ts'
import { attempt } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'
import { get, put } from './engine-suite.ts'

const options = { create: true, readOnly: false, cacheBytes: 8_000_000 }
const SEGMENT_BYTES = 8 * 1024 ** 2
/** A longer value does not lie in the tree. */
const ROW_BYTES = 8000

t.test('a snapshot that sled had only begun is none', async (t) => {
  const root = t.testdir()
  const path = join(root, 'vault')
  const engine = await openSled(path, options)
  await put(engine, [ROWS, 'key', Buffer.from('value')])
  await engine.close()
  // sled makes its snapshot when it opens.
  await (await openSled(path, options)).close()
  const folder = readFileSync(join(path, 'CURRENT'), 'utf8').trim()
  const names = readdirSync(join(path, folder))
  const name = names.find((name) => name.startsWith('snap.')) ?? t.fail('there is no snapshot')
  const whole = readFileSync(join(path, folder, `${name}`))
  for (const [at, begun] of [Buffer.alloc(0), Buffer.alloc(100), whole.subarray(0, -3)].entries())
    for (const its of [`${name}`, 'snap.7FFFFFFFFFFFFFFF']) {
      const cut = join(root, `cut-${at}-${its}`)
      cpSync(path, cut, { recursive: true })
      writeFileSync(join(cut, folder, `${its}.generating`), begun)
      const opened = await openSled(cut, options)
      t.equal(get(opened, ROWS, 'key'), 'value')
      await opened.close()
      t.notMatch(readdirSync(join(cut, folder)).join(), /generating/)
    }
})

t.test('each segment of the log is synced, and what sled writes once', async (t) => {
  const root = t.testdir({ disk: {} })
  const top = join(root, 'disk')
  const disk = fork(join(import.meta.dirname, '../support/disk/mount-disk.ts'), [top])
  t.teardown(() => attempt('umount', ['-l', top]))
  await once(disk, 'message')
  const engine = await openSled(join(top, 'vault'), options)
  const random = randomFrom(1)
  const rows = Array.from({ length: (3 * SEGMENT_BYTES) / ROW_BYTES }, (_, i) => i)
  await put(engine, ...rows.map((i) => [ROWS, `${i}`, random.bytes(ROW_BYTES)] as const))
  await engine.close()
  disk.send(join(root, 'log'))
  await once(disk, 'message')
  const log: Recorded[] = deserialize(readFileSync(join(root, 'log')))

  const inos = new Map<string, number>()
  const written = new Map<number, number>()
  const syncs = new Map<number, number>()
  for (const { event } of log)
    if (event.kind === 'names') for (const { name, ino } of event.changes) inos.set(name, ino)
    else if (event.kind === 'write') add(written, event.ino, event.bytes.length)
    else if (event.kind === 'sync') add(syncs, event.ino, 1)
  const counted = (of: Map<number, number>, name: string): number =>
    of.get(inos.get(name) ?? 0) ?? 0
  t.ok(counted(written, 'db') > 3 * SEGMENT_BYTES)
  // One when it is made, one a segment, one for the rest.
  t.ok(counted(syncs, 'db') > 4, `${counted(syncs, 'db')} syncs`)
  t.ok(counted(syncs, 'conf') > 0)
})

function add(counts: Map<number, number>, key: number, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more)
}
