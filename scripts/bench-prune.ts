// How long requests wait while a vault is pruned: a prober (stall.c) works in a mounted vault
// alone, then while prune deletes its past and frees its blocks. The vault is filled through the
// library, in this process.
//
//   node scripts/bench-prune.ts [--files 10000] [--saves 10] [--write]

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setLog } from '../src/base/log.ts'
import { createFileSystem } from '../src/fs/file-system.ts'
import { ROOT_INO } from '../src/vault/core/inode.ts'
import { openVault } from '../src/vault/vault.ts'
import { amount, machine, table, writeSection } from './bench-report.ts'
import { buildC, mountVault, type VaultPlace, withPlaces } from './bench-support.ts'

const STALL_MS_MAX = 20
const ALONE_MS = 5000
/** One save in so many is a block of 32 KiB of its own, the others are 1 KiB inline. */
const BLOCK_EVERY = 10
const CALLER = { uid: 0, gid: 0, pid: 1 }

const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    saves: { type: 'string', default: '11' },
    write: { type: 'boolean', default: false },
  },
})
const files = Number(options.files)
const saves = Number(options.saves)
setLog('error')

/**
 * Of each kind of call: how many there were, the 99.9th percentile and the longest, in
 * milliseconds.
 */
type Stalls = ReadonlyMap<string, { readonly calls: number; readonly p999: number; max: number }>

const report = await withPlaces(async (work, keep) => {
  const place = keep(mountVault(work, 'pruned'))
  const file = join(work, 'pruned-home', 'pruned.avfs')
  const { pastRows, blocks } = await place.unmounted(() => fill(file))
  const alone = await probe(place, () => sleep(ALONE_MS))
  const from = performance.now()
  const pruned = await probe(place, () => prune(place))
  const seconds = (performance.now() - from) / 1000
  const slices = await longestSlices(file)
  const stats = JSON.parse(
    execFileSync(place.avfs, ['prune', 'pruned', '--keep', '1', '--json'], {
      env: place.env,
      encoding: 'utf8',
    }),
  )
  if (stats.versions + stats.blocks > 0) throw new Error('prune has not done all of its work')
  const longest = Math.max(...[...pruned.values()].map(({ max }) => max))
  const verdict = (ms: number): string => (ms <= STALL_MS_MAX ? 'holds' : 'fails')
  const rows = [...alone.keys()].map((kind) => {
    const cells = [alone, pruned].flatMap((stalls) => {
      const its = stalls.get(kind)
      return its === undefined ? ['-', '-'] : [amount(its.p999), amount(its.max)]
    })
    return [kind, ...cells]
  })
  return [
    machine(),
    `${amount(pastRows)} past rows and ${amount(blocks)} blocks of 32 KiB, of which ${amount(saves - 1)} in ${amount(saves)} go; prune took ${amount(seconds)} s. Milliseconds a call of a prober that never rests.`,
    table(['', 'alone, 99.9 %', 'longest', 'during prune, 99.9 %', 'longest'], rows),
    table(
      ['', 'ms', 'line', ''],
      [
        ['longest call during prune', amount(longest), `<= ${STALL_MS_MAX}`, verdict(longest)],
        [
          'longest slice of prune, by the clock',
          amount(slices.ms),
          `<= ${STALL_MS_MAX}`,
          verdict(slices.ms),
        ],
        [
          'its longest in processor time',
          amount(slices.cpuMs),
          `<= ${STALL_MS_MAX}`,
          verdict(slices.cpuMs),
        ],
      ],
    ),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('prune', `## Prune beside requests\n\n${report}`)

async function fill(path: string): Promise<{ pastRows: number; blocks: number }> {
  const vault = await openVault(path)
  const fs = createFileSystem(vault, { readOnly: false })
  let blocks = 0
  for (let save = 0; save < saves; save++)
    for (let at = 0; at < files; at++) {
      const name = `f${at}`
      const node =
        fs.lookup(CALLER, ROOT_INO, name) ?? fs.create(CALLER, ROOT_INO, name, 0o644, 0, 0)
      const isBlock = at % BLOCK_EVERY === 0
      const bytes = Buffer.alloc(isBlock ? 32_768 : 1024)
      for (let word = 0; word < bytes.length; word += 4)
        bytes.writeUInt32LE((Math.random() * 2 ** 32) >>> 0, word)
      if (isBlock) blocks++
      fs.write(CALLER, node.ino, 0, bytes, false, false)
      fs.flush(CALLER, node.ino)
      fs.forget(node.ino, 1)
      const waiting = vault.relieve()
      if (waiting !== undefined) await waiting
    }
  await vault.close()
  // An inode's state and an extent for each save but the last.
  return { pastRows: 2 * files * (saves - 1), blocks }
}

async function probe(place: VaultPlace, body: () => Promise<unknown>): Promise<Stalls> {
  const dir = join(place.dir, 'probed')
  mkdirSync(dir, { recursive: true })
  const prober = spawn(buildC('stall.c'), [dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  prober.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  try {
    await body()
  } finally {
    prober.kill('SIGTERM')
    await once(prober, 'close')
  }
  return new Map(
    output
      .trim()
      .split('\n')
      .map((line) => {
        const [kind = '', calls, p999, max] = line.split(' ')
        return [kind, { calls: Number(calls), p999: Number(p999) / 1000, max: Number(max) / 1000 }]
      }),
  )
}

async function prune(place: VaultPlace): Promise<void> {
  const command = spawn(place.avfs, ['prune', 'pruned', '--keep', '1'], {
    env: place.env,
    stdio: 'ignore',
  })
  const [code] = await once(command, 'exit')
  if (code !== 0) throw new Error(`avfs prune ended with ${code}`)
}

/** What /metrics says of the longest that background work has held up requests. */
async function longestSlices(path: string): Promise<{ ms: number; cpuMs: number }> {
  const { socket }: { socket: string } = JSON.parse(readFileSync(`${resolve(path)}.lock`, 'utf8'))
  const text = await new Promise<string>((done, failed) => {
    const asked = request({ socketPath: socket, path: '/metrics' }, async (answer) => {
      const parts: Buffer[] = []
      for await (const part of answer) parts.push(part as Buffer)
      done(Buffer.concat(parts).toString())
    })
    asked.on('error', failed).end()
  })
  const value = (name: string): number =>
    Number(new RegExp(`^avfs_vault_longest_slice_${name} ([\\d.]+)`, 'm').exec(text)?.[1])
  return { ms: value('ms'), cpuMs: value('cpu_ms') }
}
