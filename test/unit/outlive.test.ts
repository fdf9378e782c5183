// What must not end a process that serves a mount: uncaught errors, work of timers that fails, a
// log that cannot be written or is not read.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { UNCAUGHT } from '../../src/base/guard.ts'
import { setLog } from '../../src/base/log.ts'
import { steady } from '../../src/base/steady.ts'

const base = join(import.meta.dirname, '../../src/base')

/** A program of these lines, with guard, log and sink at hand. */
function program(...lines: readonly string[]): string[] {
  const imports = [
    `import { outliveErrors } from '${base}/guard.ts'`,
    `import { log, setLog } from '${base}/log.ts'`,
    `import { standardErrorSink } from '${base}/log-sink.ts'`,
  ]
  return ['--input-type=module-typescript', '-e', [...imports, ...lines].join('\n')]
}

t.test(
  'an error that nobody caught is logged with its cause, and the process goes on',
  async (t) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      program(
        'outliveErrors()',
        "setTimeout(() => { throw new Error('thrown', { cause: new Error('deep') }) })",
        "void Promise.reject(new Error('rejected'))",
        "setTimeout(() => process.emit('error', new Error('emitted')), 5)",
        "setTimeout(() => console.log('still here'), 20)",
      ),
      { encoding: 'utf8' },
    )
    t.equal(status, 0)
    t.equal(stdout, 'still here\n')
    for (const word of [UNCAUGHT, 'thrown', 'caused by Error: deep', 'rejected', 'emitted'])
      t.match(stderr, word)
  },
)

t.test('work of a timer that fails is told once for each reason, and tried again', async (t) => {
  const lines: string[] = []
  setLog('info', (line) => lines.push(line))
  const outcomes = ['a', 'a', 'b', '', 'b']
  const beat = steady('the work', () => {
    const reason = outcomes.shift()
    if (reason !== '') throw new Error(reason)
  })
  for (let turn = 0; turn < 5; turn++) beat()
  t.same(
    lines.map((line) => /Error: (\w)/.exec(line)?.[1]),
    ['a', 'b', 'b'],
  )
})

t.test('a log that nobody reads, or that cannot be written, holds nothing up', async (t) => {
  const chatty = program(
    'setLog("info", standardErrorSink())',
    'for (let line = 0; line < 5000; line++) log("info", "x".repeat(100))',
    'console.log("done")',
  )
  for (const reader of ['stops', 'goes']) {
    const child = spawn(process.execPath, chatty, { stdio: ['ignore', 'pipe', 'pipe'] })
    if (reader === 'goes') child.stderr.destroy()
    const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
    t.equal(said, 'done\n', `a reader that ${reader}`)
    child.stderr.destroy()
    await once(child, 'exit')
  }
  const full = spawnSync('sh', ['-c', 'exec "$0" "$@" 2>/dev/full', process.execPath, ...chatty])
  t.equal(full.stdout.toString(), 'done\n', 'a full disk')
})
