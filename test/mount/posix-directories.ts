// Directories: listings while they change, link counts, many entries. A table of tests of a
// directory.

import { mkdirSync, opendirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Table } from '../support/table.ts'

export const directories: Table = {
  'a directory has two links and one more for each directory in it': (_, { script }) => {
    script(`
      mkdir d
      stat d nlink -> 2
      mkdir d/a
      mkdir d/b
      open d/f O_CREAT,O_WRONLY
      stat d nlink -> 4
      rmdir d/a
      stat d nlink -> 3
      rename d/b b
      stat d nlink -> 2
    `)
  },
  'a directory that holds something is not removed': (_, { script }) => {
    script(`
      mkdir d
      open d/f O_CREAT,O_WRONLY
      rmdir d -> ENOTEMPTY
      unlink d -> EISDIR
      rmdir d/f -> ENOTDIR
      rmdir missing -> ENOENT
      unlink d/f
      rmdir d -> 0
      mkdir d -> 0
      mkdir d -> EEXIST
    `)
  },
  'a listing in many small pieces shows every name once': (dir, { t, sys }) => {
    const made = Array.from({ length: 1000 }, (_, index) => `entry-${index}`)
    for (const name of made) writeFileSync(join(dir, name), '')
    const steps = Array.from({ length: 600 }, () => 'getdents 0 128')
    const [, ...pieces] = sys('open . O_RDONLY', ...steps)
    const listed = pieces.filter((piece) => piece !== '-').flatMap((piece) => piece.split(' '))
    t.same(listed.sort(), ['.', '..', ...made].sort())
    t.equal(pieces.at(-1), '-', 'the end was reached')
  },
  'a listing during renames shows what was not renamed once and nothing twice': (
    dir,
    { t, sys },
  ) => {
    const still = Array.from({ length: 300 }, (_, index) => `still-${index}`)
    const moving = Array.from({ length: 100 }, (_, index) => `moving-${index}`)
    for (const name of [...still, ...moving]) writeFileSync(join(dir, name), '')
    const steps = moving.flatMap((name, index) => [
      'getdents 0 256',
      `rename ${name} moved-${index}`,
    ])
    const rest = Array.from({ length: 100 }, () => 'getdents 0 256')
    const values = sys('open . O_RDONLY', ...steps, ...rest)
    const listed = values
      .slice(1)
      .filter((value) => /[a-z.]/.test(value))
      .flatMap((value) => value.split(' '))
    t.same(listed.filter((name) => name.startsWith('still')).sort(), [...still].sort())
    t.equal(new Set(listed).size, listed.length, 'no name twice')
  },
  'a listing made while a file is renamed to and fro shows it once': async (dir, { t, beside }) => {
    const still = Array.from({ length: 12 }, (_, index) => `s${index}`)
    for (const name of ['x', ...still]) writeFileSync(join(dir, name), '')
    let running = true
    const churn = beside('churn x y 700').finally(() => {
      running = false
    })
    let listings = 0
    const wrong = new Set<string>()
    while (running) {
      const listed = readdirSync(dir).sort().join(' ')
      const without = listed.replace(/ [xy]$/, '')
      if (without !== [...still].sort().join(' ') || without === listed) wrong.add(listed)
      listings++
      if (listings % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const [moves] = await churn
    t.same([...wrong], [])
    t.ok(listings > 20 && Number(moves) > 20, `${listings} listings, ${moves} renames`)
  },
  'files made and removed while a directory is read do not disturb the others': (dir, { t }) => {
    const still = Array.from({ length: 500 }, (_, index) => `still-${index}`)
    for (const name of still) writeFileSync(join(dir, name), '')
    const listing = opendirSync(dir, { bufferSize: 8 })
    const seen: string[] = []
    for (let turn = 0; ; turn++) {
      const entry = listing.readSync()
      if (entry === null) break
      seen.push(entry.name)
      if (turn < 200) {
        writeFileSync(join(dir, `new-${turn}`), '')
        if (turn % 2 === 0) rmSync(join(dir, `new-${turn}`))
      }
    }
    listing.closeSync()
    t.same(seen.filter((name) => name.startsWith('still')).sort(), [...still].sort())
    t.equal(new Set(seen).size, seen.length, 'no name twice')
  },
  'a directory is emptied while it is listed, as rm -r does': (dir, { t }) => {
    mkdirSync(join(dir, 'tree/deep'), { recursive: true })
    for (let index = 0; index < 700; index++) writeFileSync(join(dir, 'tree', `f${index}`), '')
    rmSync(join(dir, 'tree'), { recursive: true })
    t.same(readdirSync(dir), [])
  },
  'what was made a moment ago is listed at once': (dir, { t }) => {
    for (let turn = 0; turn < 50; turn++) {
      writeFileSync(join(dir, `f${turn}`), '')
      t.equal(readdirSync(dir).length, turn + 1)
    }
    rmSync(join(dir, 'f7'))
    t.equal(readdirSync(dir).includes('f7'), false)
  },
  'a listing tells the type of each entry': (dir, { t, script }) => {
    script(`
      mkdir dir
      open file O_CREAT,O_WRONLY
      symlink file link
      mknod fifo fifo 600
      mknod sock sock 600
      mknod null char 600 1 3
    `)
    const types = readdirSync(dir, { withFileTypes: true }).map((entry) => [
      entry.name,
      entry.isDirectory(),
      entry.isFile(),
      entry.isSymbolicLink(),
      entry.isFIFO(),
      entry.isSocket(),
      entry.isCharacterDevice(),
    ])
    const only = (name: string, at: number) => [
      name,
      ...Array.from({ length: 6 }, (_, index) => index === at),
    ]
    t.same(
      types.sort((a, b) => String(a[0]).localeCompare(String(b[0]))),
      [
        only('dir', 0),
        only('fifo', 3),
        only('file', 1),
        only('link', 2),
        only('null', 5),
        only('sock', 4),
      ],
    )
  },
  'a hundred thousand files in one directory are made, listed, found and removed': (
    dir,
    { t, script },
  ) => {
    script(`
      mkdir d
      many d/f 100000 -> 100000
      stat d/f99999 size -> 0
      stat d/f100000 size -> ENOENT
    `)
    const listed = new Set(readdirSync(join(dir, 'd')))
    t.equal(listed.size, 100_000)
    t.ok(listed.has('f0') && listed.has('f50000') && listed.has('f99999'))
    script(`
      none d/f 100000 -> 100000
      rmdir d -> 0
    `)
  },
}
