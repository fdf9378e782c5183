// What applies to every command: help, version, output into pipes.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { avfsProgram } from '../support/mount.ts'
import { emptyCli } from './cli.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)

const commands = [
  ['vault'],
  ['vault', 'create'],
  ['vault', 'list'],
  ['vault', 'info'],
  ['vault', 'stats'],
  ['vault', 'top'],
  ['vault', 'migrate'],
  ['bench'],
  ['vault', 'check'],
  ['vault', 'compact'],
  ['vault', 'delete'],
  ['mount'],
  ['unmount'],
  ['log'],
  ['cat'],
  ['diff'],
  ['grep'],
  ['find'],
  ['restore'],
  ['undelete'],
  ['snapshot'],
  ['snapshot', 'create'],
  ['snapshot', 'list'],
  ['snapshot', 'delete'],
  ['snapshot', 'rename'],
  ['tag'],
  ['tag', 'add'],
  ['tag', 'rm'],
  ['tag', 'list'],
  ['tag', 'find'],
  ['meta'],
  ['meta', 'set'],
  ['meta', 'get'],
  ['meta', 'list'],
  ['meta', 'find'],
  ['search'],
  ['prune'],
  ['purge'],
  ['hold'],
  ['backends'],
  ['export'],
  ['import'],
  ['vault', 'config'],
  ['vault', 'backup'],
  ['vault', 'restore'],
]

t.test('every command explains itself with an example', async (t) => {
  const cli = emptyCli(t)
  for (const command of commands) {
    const { status, stdout } = cli.avfs(...command, '--help')
    t.equal(status, 0)
    t.match(
      stdout,
      new RegExp(`Examples:\\n(?: +# .*\\n)? +avfs ${command.join(' ')}\\s`),
      command.join(' '),
    )
    t.match(stdout, '--json')
  }
  t.match(cli.avfs('--help').stdout, 'Exit codes:')
})

t.test('examples in help can be copied, and options are shown as they are typed', async (t) => {
  const cli = emptyCli(t)
  for (const command of ['vault create', 'vault migrate', 'prune', 'undelete', 'import', 'grep']) {
    const { stdout } = cli.avfs(...command.split(' '), '--help')
    t.notMatch(stdout, 'dryRun')
    const [, examples = ''] = stdout.split('Examples:\n')
    const [lines = ''] = examples.split('\n\n')
    for (const line of lines.trimEnd().split('\n')) t.match(line, /^ +(avfs|#) /, line)
  }
  const migrate = cli.avfs('vault', 'migrate', '--help').stdout
  t.match(migrate, /avfs vault migrate myproject --to lmdb --dry-run +#/m)
})

t.test('--version is that of the package', async (t) => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(emptyCli(t).avfs('--version').stdout, `${version}\n`)
})

t.test('no command waits for modules of Node that none has a use for', async (t) => {
  const cli = emptyCli(t)
  const print = 'process.on("exit", () => console.error(process.moduleLoadList.join("\\n")))'
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(print)}` }
  t.equal(cli.avfs('vault', 'create', 'one').status, 0)
  const { stdout, stderr } = cli.avfsUnder(env, 'vault', 'info', 'one')
  t.match(stdout, /one/)
  t.match(stderr, /^NativeModule http$/m)
  t.notMatch(stderr, /undici|http2/)
})

t.test('a reader that goes away ends a command quietly', async (t) => {
  const child = spawn(avfsProgram, ['--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  await once(child, 'close')
  t.equal(stderr, '')
})

t.test('no colours and no progress go into a pipe', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  const { stdout, stderr } = cli.avfs('vault', 'check', 'one', '--deep')
  t.equal(stderr, '')
  t.notMatch(stdout, '\x1b')
  t.notMatch(cli.avfs('vault', 'info', 'two').stderr, '\x1b')
})

t.test('a command is found behind options and by its other name', async (t) => {
  const cli = emptyCli(t)
  t.match(cli.avfs('--json', 'vault', 'list').stdout, '[]')
  t.match(cli.avfs('--vault', 'one', 'import', '--help').stdout, 'avfs import')
  t.match(cli.avfs('--vault', 'cat', 'import', '--help').stdout, 'avfs import')
  t.match(cli.avfs('umount', '--help').stdout, 'avfs unmount')
})

t.test('what follows -- is no option', async (t) => {
  const cli = emptyCli(t)
  t.equal(cli.avfs('vault', 'create', '--', 'one').status, 0)
  t.match(cli.avfs('vault', 'info', '--json', '--', 'one').stdout, '"name":"one"')
  const missing = cli.avfs('log', '--', '-n')
  t.equal(missing.status, 10)
  t.match(missing.stderr, '-n')
})

t.test('a mistyped command gets advice and a wrong one is refused', async (t) => {
  const cli = emptyCli(t)
  for (const words of [['mout'], ['mout', 'cat']]) {
    const { status, stderr } = cli.avfs(...words)
    t.equal(status, 2)
    t.match(stderr, 'Did you mean mount?')
  }
  t.equal(cli.avfs('no-command-at-all').status, 2)
  t.equal(cli.avfs().status, 2)
})
