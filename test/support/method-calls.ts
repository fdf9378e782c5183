// A call of every method of the control socket on a small vault, and their requests as bytes. A new
// method does not compile without its row here.

import { serialize } from 'node:v8'
import { entryRecord, WHOLE } from '../../src/archive/records.ts'
import type { Parameters } from '../../src/control/methods/method.ts'
import type { MethodName, ParametersOf } from '../../src/control/methods/method-types.ts'
import { BINARY } from '../../src/control/wire/protocol.ts'
import { collections } from '../../src/store/collections.ts'
import { directoryHead as head } from './entry-head.ts'

export interface MethodCall {
  readonly method: MethodName
  readonly parameters: Parameters
  /** What goes with it, for a method that takes a stream. */
  readonly body?: Buffer
}

const FILES = 40
/** More than a socket and its two ends hold. */
const LARGE_BYTES = 1024 * 1024

/** The tree as records; `text` is in every file. */
function tree(text: string, more: readonly string[] = []): Buffer {
  const file = (name: string, parent: number, content: Buffer): Buffer => {
    const its = { ...head, mode: 0o100644, parent, id: 0, size: content.length, flags: WHOLE }
    return entryRecord({ ...its, key: name }, name, [], [content])
  }
  const names = Array.from({ length: FILES }, (_, index) => `f${index}`)
  return Buffer.concat([
    entryRecord(head, '', []),
    entryRecord({ ...head, parent: 1, id: 2, key: 'd' }, 'd', []),
    ...[...names, ...more].map((name) => file(name, 2, Buffer.from(`${text} ${name}\n`))),
    file('large', 1, Buffer.alloc(LARGE_BYTES, `${text}\n`)),
  ])
}

const imported = (body: Buffer): MethodCall => ({
  method: 'import',
  parameters: { path: '/', basename: 'x' },
  body,
})

/** What makes the vault: to be called in this order, `later` more than a second after `first`. */
export const making: Readonly<Record<'first' | 'later', readonly MethodCall[]>> = {
  first: [
    imported(tree('one')),
    { method: 'snapshotCreate', parameters: { name: 'before' } },
    imported(tree('two', ['extra'])),
  ],
  later: [
    {
      method: 'restore',
      parameters: { path: '/d', state: { snapshot: 'before' }, removeNewer: true },
    },
    { method: 'tagAdd', parameters: { path: '/d/f0', tags: ['red'] } },
    { method: 'metaSet', parameters: { path: '/d/f0', values: { author: 'ada' } } },
    { method: 'holdAdd', parameters: { name: '/d/f1' } },
    { method: 'snapshotCreate', parameters: { name: 'old' } },
  ],
}

const before = { snapshot: 'before' }

/** The call of each method; `turn` differs from call to call, for names that may be given once. */
export const callOf: {
  readonly [N in MethodName]: (
    turn: number,
  ) => ParametersOf<N> | { parameters: ParametersOf<N>; body: Buffer }
} = {
  info: () => ({}),
  stats: () => ({}),
  check: () => ({ deep: true }),
  compact: () => ({}),
  // Of a copy that has nothing yet.
  backup: () => ({
    parameters: {},
    body: serialize({
      stretches: Object.fromEntries(
        collections.map(({ name }) => [name, { starts: [], digests: [] }]),
      ),
      blocks: new Uint8Array(),
    }),
  }),
  sync: () => ({}),
  log: () => ({ path: '/d/f0', limit: 0 }),
  cat: () => ({ path: '/large' }),
  restore: (turn) => ({ path: '/d', state: before, to: `/restored${turn}`, removeNewer: false }),
  undelete: () => ({ path: '/d/extra' }),
  compare: () => ({ path: '/', before }),
  find: () => ({ path: '/' }),
  contents: () => ({ path: '/', include: ['*'], exclude: ['large'] }),
  snapshotCreate: (turn) => ({ name: `taken${turn}` }),
  snapshotDelete: () => ({ name: 'old' }),
  snapshotRename: (turn) => ({ name: `taken${turn}`, newName: `renamed${turn}` }),
  snapshotList: () => ({}),
  tagAdd: (turn) => ({ path: '/d/f2', tags: [`tag${turn}`] }),
  tagRemove: (turn) => ({ path: '/d/f2', tags: [`tag${turn}`] }),
  tagList: () => ({ path: '/' }),
  tagFind: () => ({ path: '/', tags: ['red'] }),
  metaList: () => ({ path: '/d/f0' }),
  metaSet: (turn) => ({ path: '/d/f2', values: { turn: `${turn}` } }),
  metaFind: () => ({ path: '/', keys: ['author'] }),
  configShow: () => ({}),
  configSet: (turn) => ({ changes: { 'keep.versions': `${100 + (turn % 100)}` } }),
  prune: (turn) => ({ keep: 1, explain: true, dryRun: turn % 2 === 0 }),
  purge: (turn) => ({ path: `/d/f${turn % FILES}`, force: true, dryRun: turn % 2 === 0 }),
  holdAdd: (turn) => ({ name: `/d/f${turn % FILES}` }),
  holdRelease: (turn) => ({ name: `/d/f${turn % FILES}` }),
  holdList: () => ({}),
  export: () => ({ path: '/', recursive: true, history: true }),
  import: (turn) => ({
    parameters: { path: `/imported${turn}`, basename: 'x' },
    body: tree(`turn ${turn}`),
  }),
  search: () => ({ query: 'one', path: '/', limit: 50, allVersions: true }),
  searchStatus: () => ({}),
  searchRebuild: () => ({}),
}

export function methodCall(method: MethodName, turn: number): MethodCall {
  const its = callOf[method](turn)
  return 'body' in its
    ? { method, parameters: { ...its.parameters }, body: its.body }
    : { method, parameters: { ...its } }
}

/** The request as it goes over the socket. */
export function requestBytes({ method, parameters, body }: MethodCall): Buffer {
  const text = JSON.stringify(parameters)
  const content = body === undefined ? Buffer.from(text) : Buffer.concat([line(text), body])
  const headers = [
    `POST /${method} HTTP/1.1`,
    'Host: daemon',
    'Connection: close',
    `Accept: ${BINARY}`,
    ...(body === undefined ? [] : [`Content-Type: ${BINARY}`]),
    `Content-Length: ${content.length}`,
  ]
  return Buffer.concat([Buffer.from(`${headers.join('\r\n')}\r\n\r\n`), content])
}

function line(text: string): Buffer {
  return Buffer.from(`${text}\n`)
}
