// Names as they are shown on terminals, compared with GNU ls.

import { mkdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { quotedName, shownName, shownText, visible } from '../../src/cli/terminal.ts'
import { temporaryFolder } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { randomFrom, seedOf } from '../support/random.ts'

const terminal = { isTTY: true } as const
const pipe = { isTTY: undefined } as never

t.test('names are quoted as GNU ls does it', async (t) => {
  const seed = seedOf('AVFS_SEED')
  t.comment(`AVFS_SEED=${seed}`)
  const random = randomFrom(seed)
  const folder = temporaryFolder(t)
  mkdirSync(folder, { recursive: true })
  const known = [
    ...[
      'plain',
      'a b',
      "it's",
      'a"b',
      `both'"`,
      '$x',
      'a\nb',
      '\x1b[2Jx',
      '#x',
      'x#',
      '~',
      '{',
      '{}',
    ],
    ...[
      '\xc3\xa4',
      '\xff',
      'a\xc2\x9bm',
      '-x',
      'x=y',
      'a\\b',
      "'",
      "a'\nb",
      '\t',
      'a,b',
      'a%b',
      '[a]',
    ],
  ]
  const alphabet = [...'abc \'"$\\!#~{}\n\x1b\x07\xff\xc3\xa4=,%:;']
  for (let count = 0; count < 200; count++)
    known.push(Array.from({ length: 1 + random.below(8) }, () => random.pick(alphabet)).join(''))
  const names = [...new Set(known)].filter((name) => !/[/\0]/.test(name) && !/^\.{0,2}$/.test(name))
  for (const name of names) writeFileSync(Buffer.from(`${folder}/${name}`, 'latin1'), '')
  const args = ['-1', '-U', '--quoting-style=shell-escape', folder]
  const env = { LC_ALL: 'C.UTF-8' }
  const shown = new Set(run('ls', args, { env }).split('\n'))
  // With both of these ls puts an empty pair of quotes before.
  const isOdd = (name: string): boolean => name.includes("'") && /\$'/.test(quotedName(name))
  for (const name of names.filter((its) => !isOdd(its)))
    t.ok(shown.has(quotedName(name)), quotedName(name))
  const taken = run('bash', [
    '-c',
    `printf '%s/' ${names.map(quotedName).join(' ')} | od -An -v -tx1`,
  ])
  const bytes = Buffer.from(taken.replace(/\s/g, ''), 'hex').toString('latin1')
  t.same(bytes.split('/').slice(0, -1), names, 'a shell takes them back')
})

t.test('only a terminal is shown something else than is there', async (t) => {
  t.equal(shownName('a\nb', terminal), "'a'$'\\n''b'")
  t.equal(shownName('a\nb', pipe), 'a\nb')
  t.equal(shownText('\u00e4 b', terminal), "'\u00e4 b'")
  t.equal(visible('one\n\x1b[2J\u009bm\ttwo', terminal), 'one\n\\u001b[2J\\u009bm\ttwo')
  t.equal(visible('\x1b[2J', pipe), '\x1b[2J')
})
