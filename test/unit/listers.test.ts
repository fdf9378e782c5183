// Which processes get attributes with the names that they list.

import t from 'tap'
import { Listers } from '../../src/fs/listers.ts'

const PID = 7

/** Lists directories of so many names as a process does that asks for what `asks` says. */
function list(
  listers: Listers,
  directories: number,
  names: number,
  asks: boolean,
  firstDirectory = 1,
): { readonly full: number; readonly lookups: number } {
  let [full, lookups] = [0, 0]
  for (let directory = firstDirectory; directory < firstDirectory + directories; directory++) {
    listers.begin(PID, directory)
    const left: string[] = []
    for (let index = 0; index < names; index++) {
      const name = `f${index}`
      if (listers.wants(PID, directory, name)) full++
      else left.push(name)
    }
    if (!asks) continue
    lookups += left.length
    for (const name of left) listers.asked(PID, directory, name)
  }
  return { full, lookups }
}

t.test('who asks for attributes gets nearly all of them with the names', async (t) => {
  for (const names of [3, 60, 5000]) {
    const { full, lookups } = list(new Listers(), 1 + 10_000 / names, names, true)
    t.ok(lookups <= full / 60, `${lookups} lookups for ${full} names, ${names} in a directory`)
  }
})

t.test('who does not is given names alone after a few hundred', async (t) => {
  for (const names of [3, 60, 200]) {
    const { full } = list(new Listers(), 1 + 10_000 / names, names, false)
    t.ok(full > 0 && full < 700, `${full} with attributes, ${names} in a directory`)
  }
})

t.test('a process that changes its mind is followed', async (t) => {
  const listers = new Listers()
  list(listers, 100, 60, false)
  t.equal(list(listers, 1, 60, false, 1000).full, 0)
  const { full, lookups } = list(listers, 100, 60, true, 2000)
  t.ok(lookups < 60 + full / 50, `${lookups} lookups, ${full} with attributes`)
  t.ok(list(listers, 100, 60, false, 3000).full < 700)
})

t.test('processes are told apart, and only the newest are remembered', async (t) => {
  const listers = new Listers()
  list(listers, 100, 60, false)
  listers.begin(PID + 1, 1)
  t.ok(listers.wants(PID + 1, 1, 'a'))
  listers.asked(PID + 1, 1, 'a')
  t.notOk(listers.wants(PID, 100, 'a'))
  for (let other = 100; other < 1000; other++) listers.begin(other, 1)
  t.ok(listers.wants(PID, 100, 'a'), 'as a process of which nothing is known')
})
