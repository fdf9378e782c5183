// Invalid parameters are refused with a message, by every method, before anything is done: a method
// called with each of its parameters wrong in turn gives its normal answer or a ControlError, and
// nothing has changed then.

import { serialize } from 'node:v8'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import type { Call, Parameters } from '../../src/control/methods/method.ts'
import { isMethodName, methods } from '../../src/control/methods/methods.ts'
import { ControlError } from '../../src/control/wire/errors.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { openMemory } from '../../src/store/memory.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { type MethodCall, making, methodCall } from '../support/method-calls.ts'

setLog('error')
const LONE_SURROGATE = '\ud800'
const WRONG: readonly unknown[] = [
  null,
  [],
  {},
  '',
  'x',
  'true',
  'x'.repeat(10_000),
  '\u20ac',
  LONE_SURROGATE,
  -1,
  1.5,
  1e300,
  [1],
  [null],
  [LONE_SURROGATE],
  [['a']],
  { a: 1 },
  { a: { b: [] } },
  { above: 'x' },
  { when: 3, version: 'x' },
  { [LONE_SURROGATE]: '\u20ac' },
]
/** Those that no call of `methodCall` gives. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  find: ['state', 'names', 'paths', 'types', 'size', 'mtime', 'tags', 'keys'],
  cat: ['state'],
  export: ['state'],
  compare: ['after'],
  log: ['all'],
  undelete: ['dryRun'],
  restore: ['dryRun'],
  prune: ['path', 'glob', 'olderThan'],
  purge: ['current'],
  import: ['dryRun'],
  search: ['tag', 'glob', 'since'],
}

async function* piecesOf(body: Buffer): AsyncGenerator<Uint8Array> {
  yield body
}

async function vaultOf(): Promise<{ vault: Vault; run: (call: MethodCall) => Promise<object> }> {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = await retryUntilLoaded(() => new Vault(store, '/nowhere', { commitMs: 1e9 }))
  const searcher = Searcher.start(vault)
  t.teardown(async () => {
    await searcher.close()
    await vault.close()
  })
  const run = async ({ method, parameters, body }: MethodCall): Promise<object> => {
    const call: Call = {
      report: () => undefined,
      send: () => undefined,
      kernel: undefined,
      searcher: () => searcher,
      isGone: () => false,
      body: body && piecesOf(body),
    }
    return await methods[method].run(vault, parameters, call)
  }
  for (const call of [...making.first, ...making.later]) await run(call).catch(() => undefined)
  return { vault, run }
}

async function refusalOf(work: Promise<object>): Promise<ControlError | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof ControlError) return error
    throw error
  }
}

t.test('every method answers wrong parameters with a refusal', async (t) => {
  const { vault, run } = await vaultOf()
  let turn = 0
  for (const method of Object.keys(methods).filter(isMethodName)) {
    // What needs a file of an engine.
    if (method === 'compact' || method === 'searchRebuild') continue
    const names = [...Object.keys(methodCall(method, 0).parameters), ...(MORE[method] ?? [])]
    for (const name of names)
      for (const wrong of WRONG) {
        const call = methodCall(method, ++turn)
        const parameters: Parameters = { ...call.parameters, dryRun: true, [name]: wrong }
        try {
          await refusalOf(run({ ...call, parameters }))
        } catch (error) {
          t.fail(`${method} with ${name} = ${JSON.stringify(wrong)?.slice(0, 50)}: ${error}`)
        }
      }
  }
  t.same((await vault.check({ deep: true })).problems, [])
})

t.test('what was meant as a dry run is none by mistake', async (t) => {
  const { run } = await vaultOf()
  for (const method of ['prune', 'purge', 'restore', 'undelete', 'import'] as const) {
    const call = methodCall(method, 1)
    const parameters = { ...call.parameters, dryRun: 'true' }
    t.match((await refusalOf(run({ ...call, parameters })))?.message, /dryRun must be true or/)
  }
  const restore = methodCall('restore', 1)
  const parameters = { ...restore.parameters, state: 'before' }
  t.match((await refusalOf(run({ ...restore, parameters })))?.message, /parameter state must be/)
})

t.test('metadata that is none, or too much, is refused whole', async (t) => {
  const { run } = await vaultOf()
  const set = async (values: unknown): Promise<string | undefined> =>
    (await refusalOf(run({ method: 'metaSet', parameters: { path: '/d/f0', values } })))?.message
  t.match(await set('x'.repeat(10_000)), /parameter values must be an object/)
  t.match(await set({ a: 1 }), /parameter values must be an object/)
  t.match(await set({ first: 'x', other: null }), /has no other/)
  t.match(await set({ first: 'x', big: 'x'.repeat(70_000) }), /value of big has more than 65536/)
  t.match(await set({ first: 'x', ['k'.repeat(251)]: 'x' }), /a key has 1 to 250 bytes/)
  const many = Array.from({ length: 700 }, (_, at) => [`${at}`.padEnd(100, 'k'), 'x'])
  t.match(await set(Object.fromEntries(many)), /keys of a file have no more than 65536 bytes/)
  const list = { method: 'metaList', parameters: { path: '/d/f0' } } as const
  t.same(await run(list), { values: { author: 'ada' } }, 'nothing has changed')
})

t.test('a backup is told that its body is none', async (t) => {
  const { run } = await vaultOf()
  const good = methodCall('backup', 1)
  t.equal(await refusalOf(run(good)), undefined)
  const stretches = (its: unknown) => ({ stretches: { inode: its }, blocks: new Uint8Array() })
  const bodies: readonly unknown[] = [
    7,
    null,
    {},
    { stretches: null, blocks: new Uint8Array() },
    { stretches: {}, blocks: new Uint8Array(5) },
    stretches(3),
    stretches({ starts: [[1]], digests: [] }),
    stretches({ starts: [['x']], digests: ['x'] }),
    stretches({ starts: [[{}]], digests: ['x'] }),
    stretches({ starts: [[1]], digests: [1] }),
  ]
  const all = [Buffer.alloc(5000, 7), Buffer.alloc(0), ...bodies.map((body) => serialize(body))]
  for (const body of all)
    t.match(await refusalOf(run({ ...good, body })), { message: /the body of backup must say/ })
})
