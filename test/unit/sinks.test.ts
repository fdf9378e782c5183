// Streams from strangers into sinks: no name leads out of the destination, and nothing goes through
// a link that the same stream made.

import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { hostSink } from '../../src/archive/host-sink.ts'
import {
  dataRecord,
  endRecord,
  entryRecord,
  LINK,
  leaveRecord,
  WHOLE,
} from '../../src/archive/records.ts'
import { sqlarSink } from '../../src/archive/sqlar-sink.ts'
import { tarSink } from '../../src/archive/tar-sink.ts'
import { directoryHead } from '../support/entry-head.ts'
import { temporaryFolder } from '../support/mount.ts'
import { attempt } from '../support/program.ts'

const head = { ...directoryHead, mtimeNs: 0, atimeNs: 0 }
const file = { ...head, mode: 0o100777, parent: 1, id: 0, flags: WHOLE }
const value = Buffer.from('harmless')
const names = ['..', '.', '', '../outside/x', '/', 'a/b', '../outside/new', 'a\0b']

/** A link to what is outside, and all that could go through it. */
function through(outside: string): Buffer[] {
  const link = { ...file, mode: 0o120777 }
  const target = [Buffer.from(outside)]
  return [
    // A directory where the link is.
    entryRecord(link, 'way', [], target),
    entryRecord({ ...head, parent: 1, id: 2 }, 'way', []),
    entryRecord({ ...file, parent: 2 }, 'new', [], [value]),
    leaveRecord(2),
    // A file that is replaced by a link while its data comes.
    entryRecord({ ...file, flags: 0, id: 3, size: 8, key: 'late' }, 'late', []),
    entryRecord(link, 'late', [], [Buffer.from(join(outside, 'x'))]),
    dataRecord(3, 0, [value]),
    endRecord(3, 8, 0),
    // Further names of what was replaced by a link.
    entryRecord({ ...file, nlink: 2, key: 'two' }, 'two', [], [value]),
    entryRecord(link, 'two', [], [Buffer.from(join(outside, 'x'))]),
    entryRecord({ ...file, nlink: 2, key: 'two', flags: LINK }, 'three', []),
  ]
}

function stream(outside: string): Buffer[] {
  return [
    entryRecord(head, '', []),
    ...names.map((name) => entryRecord(file, name, [], [value])),
    ...names.flatMap((name, at) => [
      entryRecord({ ...head, parent: 1, id: 100 + at }, name, []),
      entryRecord({ ...file, parent: 100 + at }, 'below', [], [value]),
    ]),
    ...through(outside),
    entryRecord(file, 'last', [], [value]),
    leaveRecord(1),
  ]
}

function outsideOf(t: Test): { folder: string; outside: string; assertSame(): void } {
  const folder = temporaryFolder(t)
  const outside = join(folder, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'x'), 'mine')
  chmodSync(join(outside, 'x'), 0o600)
  return {
    folder,
    outside,
    assertSame() {
      t.same(readdirSync(outside), ['x'])
      t.equal(readFileSync(join(outside, 'x'), 'utf8'), 'mine')
      t.equal(statSync(join(outside, 'x')).mode & 0o7777, 0o600)
    },
  }
}

t.test('files of the host are made where was said, and nowhere else', async (t) => {
  const { folder, outside, assertSame } = outsideOf(t)
  const problems: string[] = []
  const sink = hostSink(join(folder, 'out'), {
    basename: 'x',
    problem: (path, message) => problems.push(`${path}: ${message}`),
  })
  for (const record of stream(outside)) sink.take(record)
  sink.end()
  assertSame()
  t.same(readdirSync(folder).sort(), ['out', 'outside'])
  t.same(readdirSync(join(folder, 'out')).sort(), ['last', 'late', 'three', 'two', 'way'])
  t.equal(problems.filter((its) => its.includes('no file can be called')).length, 2 * names.length)
})

t.test('archives hold no name that leads elsewhere', async (t) => {
  const { folder, outside, assertSame } = outsideOf(t)
  const parts: Buffer[] = []
  const problems: string[] = []
  const problem = (path: string, message: string): void => void problems.push(`${path}: ${message}`)
  const tar = tarSink('.', async (bytes) => void parts.push(Buffer.from(bytes)), problem)
  const sqlar = sqlarSink(join(folder, 'a.sqlar'), '', problem)
  for (const record of stream(outside)) {
    await tar.take(record)
    sqlar.take(record)
  }
  await tar.finish()
  sqlar.finish()
  sqlar.end()
  const listed = attempt('tar', ['-tf', '-'], { input: Buffer.concat(parts).toString('latin1') })
  const inTar = listed.stdout.split('\n').filter((name) => name !== '')
  const db = new Database(join(folder, 'a.sqlar'))
  const inSqlar = db.prepare('select name from sqlar').pluck().all() as string[]
  db.close()
  t.ok(inTar.includes('./last') && inSqlar.includes('last'))
  for (const name of [...inTar, ...inSqlar])
    t.notMatch(name, /\.\.|^\/|below|a\/b|outside/, JSON.stringify(name))
  t.equal(problems.filter((its) => its.includes('no file can be called')).length, 4 * names.length)
  assertSame()
})
