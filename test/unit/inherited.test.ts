// Descriptors that a command inherits stay open in it, and are not passed on to a daemon.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const inherited = fileURLToPath(new URL('../../src/cli/inherited.ts', import.meta.url))

t.test('what a command inherits stays open, and what it starts does not get it', async (t) => {
  const script = `
    import { spawnSync } from 'node:child_process'
    import { readSync } from 'node:fs'
    import { keepInheritedFromChildren } from ${JSON.stringify(inherited)}
    const isOpen = () => spawnSync('sh', ['-c', 'test -e /proc/self/fd/63']).status === 0
    const before = isOpen()
    keepInheritedFromChildren()
    console.log(before, isOpen(), readSync(63, Buffer.alloc(10)))`
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]
  // Descriptors as a shell has them for a process substitution; of the first few, Node hands none
  // on.
  const shell = ['-c', 'file=$1; shift; exec "$@" 63<"$file"', 'bash', import.meta.filename]
  const { stdout, stderr } = spawnSync('bash', [...shell, process.execPath, ...args], {
    encoding: 'utf8',
  })
  t.equal(stdout, 'true false 10\n', stderr)
})
