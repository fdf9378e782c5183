// How results and errors are printed.

import t from 'tap'
import { failureOf, UsageError } from '../../src/cli/errors.ts'
import { formatBytes, properties, table } from '../../src/cli/output.ts'
import { ControlError } from '../../src/control/wire/errors.ts'
import { StoreError } from '../../src/store/store.ts'

t.test('every kind of error has its exit code', async (t) => {
  t.match(failureOf(new UsageError('x')), { code: 2, errno: 'EINVAL' })
  t.match(failureOf(new ControlError('missing', 'x', '/p')), {
    code: 10,
    errno: 'ENOENT',
    path: '/p',
  })
  t.match(failureOf(new ControlError('locked', 'x')), { code: 11, errno: 'EBUSY' })
  t.match(failureOf(new StoreError('locked', 'x')), { code: 11 })
  t.match(failureOf(new StoreError('corrupt', 'x')), { code: 1 })
  t.match(failureOf(Object.assign(new Error('x'), { code: 'EACCES', path: '/p' })), {
    code: 1,
    errno: 'EACCES',
    path: '/p',
  })
  t.same(failureOf('x'), { code: 1, errno: null, message: 'x', path: null })
})

t.test('a message is one line', async (t) => {
  t.equal(failureOf(new Error('one\n  two\n')).message.includes('\n'), false)
})

t.test('sizes are readable', async (t) => {
  t.equal(formatBytes(0), '0 B')
  t.equal(formatBytes(1023), '1023 B')
  t.equal(formatBytes(1536), '1.5 KiB')
  t.equal(formatBytes(5 * 2 ** 40), '5.0 TiB')
})

t.test('tables have straight columns', async (t) => {
  t.equal(
    table([
      ['NAME', 'SIZE'],
      ['a', '1.0 KiB'],
      ['long', '12 B'],
    ]),
    'NAME  SIZE\na     1.0 KiB\nlong     12 B',
  )
  t.equal(properties({ a: 1, long: { x: null } }), 'a       1\nlong.x  -')
})
