// docs/tour.sh runs to its last line and does what it says.

import { join } from 'node:path'
import t from 'tap'
import { avfsProgram, temporaryFolder } from '../support/mount.ts'
import { attempt, needProgram } from '../support/program.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)

t.test('the tour loses and finds a day of work', async (t) => {
  needProgram('diff', 'sed')
  const root = temporaryFolder(t)
  const { status, stdout, stderr } = attempt(join(import.meta.dirname, '../../docs/tour.sh'), [], {
    cwd: root,
    // Below the folder of the test, so that it is cleaned up after a failure too.
    env: { AVFS: avfsProgram, TMPDIR: root, NO_COLOR: '1' },
  })
  t.equal(status, 0, stderr)
  t.equal(stderr, '')
  t.match(stdout, /^\+Somebody came after all\.$/m)
  t.match(stdout, /# The day is saved\.\n$/)
})
