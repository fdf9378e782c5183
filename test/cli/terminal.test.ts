// Names that contain control characters or imitate output of avfs: quoted where a command writes to
// a terminal, unchanged in pipes.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { avfsProgram } from '../support/mount.ts'
import { attempt, needProgram } from '../support/program.ts'
import { type Cli, emptyCli } from './cli.ts'

t.setTimeout(240_000)
needProgram('script', 'tar')

const NAME = "it's\n\x1b[2J\u009b8m avfs: all is well"
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const STEERING = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/

/** What a command writes to a terminal. */
function onTerminal(cli: Cli, ...args: readonly string[]): string {
  const quoted = [avfsProgram, ...args].map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(' ')
  const env = {
    AVFS_HOME: cli.home,
    XDG_RUNTIME_DIR: cli.root,
    XDG_STATE_HOME: cli.root,
    NO_COLOR: '1',
  }
  const { stdout } = attempt('script', ['-qec', quoted, '/dev/null'], { env, cwd: cli.root })
  return stdout.replaceAll('\r\n', '\n').replaceAll('\r\x1b[K', '')
}

function odd(t: Test): Cli {
  const cli = emptyCli(t)
  const tree = join(cli.folder('tree'), 'd')
  mkdirSync(tree)
  writeFileSync(join(tree, NAME), 'words\n')
  cli.json('vault', 'create', 'one')
  cli.json('import', tree, 'one:/d')
  cli.json('snapshot', 'create', 'before', 'one')
  writeFileSync(join(tree, NAME), 'other words\n')
  cli.json('import', tree, 'one:/d')
  cli.json('tag', 'add', `one:/d/${NAME}`, 'red')
  cli.json('meta', 'set', `one:/d/${NAME}`, `k=${NAME.replaceAll('\n', ' ')}`)
  cli.json('hold', `one:/d/${NAME}`)
  return cli
}

t.test(
  'on a terminal names are quoted in what every command says, in pipes they are as they are',
  async (t) => {
    const cli = odd(t)
    const path = `one:/d/${NAME}`
    const commands: readonly (readonly string[])[] = [
      ['find', 'one:/'],
      ['grep', '-l', 'words', 'one:/'],
      ['grep', '-c', 'words', 'one:/'],
      ['grep', '-n', 'words', 'one:/'],
      ['log', 'one:/d'],
      ['diff', 'one:/d', '-s', 'before'],
      ['tag', 'find', 'one:/', 'red'],
      ['tag', 'list', path],
      ['meta', 'list', path],
      ['meta', 'find', 'one:/', 'k~=.'],
      ['search', 'words', 'one:/'],
      ['hold', 'one'],
      ['restore', path, '-s', 'before', '--dry-run'],
      ['restore', path, '-s', 'before'],
      ['prune', 'one', '--keep', '0', '--dry-run'],
      ['purge', `one:/d/${NAME}`, '--dry-run'],
      ['cat', `${path}x`],
      ['log', `${path}x`],
      ['find', 'one:/', '--json'],
      ['log', 'one:/d', '--json'],
      ['cat', `${path}x`, '--json'],
    ]
    for (const command of commands) {
      const shown = onTerminal(cli, ...command)
      const what = command.slice(0, 2).join(' ')
      t.notMatch(shown, STEERING, `${what}: nothing steers the terminal`)
      t.notMatch(shown, /^.{0,8}avfs: all is well/m, `${what}: no line is another's`)
      t.notMatch(shown, /Error|undefined is|at file:/, what)
    }
    t.match(onTerminal(cli, 'find', 'one:/'), "'one:/d/it'\\''s'$'\\n\\033'")
    for (const args of [
      ['find', 'one:/'],
      ['grep', '-l', 'words', 'one:/'],
      ['tag', 'find', 'one:/', 'red'],
    ])
      t.match(cli.avfs(...args).stdout, path, `${args[0]}: in a pipe it is as it is`)
    t.end()
  },
)

t.test('problems of an import and an export name what they are about, quoted', async (t) => {
  const cli = odd(t)
  const tree = join(cli.root, 'tree')
  rmSync(join(tree, 'd'), { recursive: true })
  writeFileSync(join(tree, `${NAME} linked`), 'x')
  // A link to what is not in the archive.
  const archive = join(cli.root, 'a.tar')
  attempt('ln', ['--', `${NAME} linked`, 'zz'], { cwd: tree })
  attempt('tar', ['-C', tree, '-cf', archive, `${NAME} linked`, 'zz'])
  attempt('tar', ['--delete', '-f', archive, '--occurrence=1', '--', `${NAME} linked`])
  attempt('tar', ['-C', tree, '-rf', archive, '--transform', `s,^zz,${NAME.slice(0, 4)},`, 'zz'])
  const shown = onTerminal(cli, 'import', archive, 'one:/x', '--format', 'tar')
  t.match(shown, /links to/)
  t.notMatch(shown, STEERING)
  t.end()
})
