// avfs bench: measures every engine once, beside a vault, and leaves nothing behind.

import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { testedBackends } from '../support/engines.ts'
import { emptyCli } from './cli.ts'

t.test('bench measures each engine, says which to take, and removes what it made', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  const result = cli.json('bench', 'one', '--rounds', '1', '--workload', 'read-heavy') as {
    engines: { backend: string; createSmall: number; bytes: number }[]
    ranked: { backend: string }[]
    advised: string
  }
  const names = testedBackends.map(({ name }) => name)
  for (const name of names) {
    const its = result.engines.find(({ backend }) => backend === name)
    t.ok(its !== undefined && its.createSmall > 0 && its.bytes > 2 ** 26, `${name} is measured`)
  }
  t.equal(result.ranked.length, result.engines.length)
  t.ok(names.includes(result.advised))
  t.same(readdirSync(cli.home), ['one.avfs'])
  t.notMatch(readFileSync('/proc/self/mounts', 'utf8'), `${cli.home}/avfs-bench`)
})

t.test('bench refuses what is no directory and no vault', async (t) => {
  const cli = emptyCli(t)
  t.equal(cli.failure('bench', 'nothing').status, 10)
  t.equal(cli.failure('bench', '.', '--workload', 'sleepy').status, 2)
  t.equal(cli.failure('bench', '.', '--rounds', '0').status, 2)
})
