// Pages of rows: each row once, whatever ends a page.

import t from 'tap'
import { type Collection, extentPast, PROVISIONAL } from '../../src/store/collections.ts'
import { compareKeys, keyAfter } from '../../src/store/keys.ts'
import { openMemory } from '../../src/store/memory.ts'
import { rowsOn, scanPages } from '../../src/store/pages.ts'

t.test('a page goes on behind the last of all numbers', async (t) => {
  const store = openMemory()
  const numbers = [1, PROVISIONAL - 1, PROVISIONAL]
  const puts = numbers.flatMap((ino) =>
    numbers.flatMap((offset) =>
      numbers.map((since) => {
        const rest = { length: 1, hash: '', blockOffset: 0, crc: 0, data: null, until: 1 }
        return { ino, offset, since, ...rest }
      }),
    ),
  )
  await store.commit([{ collection: extentPast as Collection<object>, puts, deletes: [] }])
  for (const limit of [1, 2, 3, 100])
    t.same([...rowsOn(scanPages(store, extentPast, {}, limit))], puts, `${limit} rows a page`)
  const range = { gte: [1, 1], lt: [1, PROVISIONAL] }
  t.equal([...rowsOn(scanPages(store, extentPast, range, 1))].length, 6)
  t.same([...rowsOn(scanPages(store, extentPast, { gte: [2], lt: [2] }, 1))], [])
  await store.close()
})

t.test('nothing lies between a key and the bound behind it', async (t) => {
  t.same(keyAfter([1, 'a']), [1, 'a\0'])
  t.same(keyAfter(['a', PROVISIONAL]), ['a\0'])
  t.equal(keyAfter([PROVISIONAL, PROVISIONAL]), undefined)
  t.same(keyAfter([1, 1.5]), [1, 2], 'nor behind a number that only a damaged table has')
  t.same(keyAfter([-0.5]), [0])
  for (const low of [
    Number.MIN_SAFE_INTEGER,
    -(2 ** 53),
    -(2 ** 63),
    -1e300,
    Number.NEGATIVE_INFINITY,
  ]) {
    const [after = low] = keyAfter([low]) as number[]
    t.ok(after > low, `${after} is behind ${low}`)
  }
  t.ok(compareKeys(['a', PROVISIONAL], ['a\0']) < 0)
  t.ok(compareKeys(['a\0'], ['a\x01']) < 0)
})
