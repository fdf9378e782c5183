// The npm package of native/tantivy-node by its own tests, which its users can run as well.

import { join } from 'node:path'
import t from 'tap'
import { attempt } from '../support/program.ts'

t.test('the tests of tantivy-node pass', (t) => {
  const cwd = join(import.meta.dirname, '../../native/tantivy-node')
  // Else it takes itself for a part of this run, and runs nothing.
  const alone = ['-u', 'NODE_TEST_CONTEXT', process.execPath, '--test', '--test-reporter=tap']
  const { status, stdout, stderr } = attempt('env', alone, { cwd })
  t.equal(status, 0, stdout + stderr)
  const passed = Number(/^# pass (\d+)$/m.exec(stdout)?.[1] ?? 0)
  t.ok(passed >= 6, `${passed} passed`)
  t.end()
})
