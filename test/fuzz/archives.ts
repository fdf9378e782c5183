// Fuzzer of tar archives as GNU tar and this program write them, damaged but with correct
// checksums; and of such archives compressed, with the compressed bytes damaged. What can be read
// of them is imported into a vault.

import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { readTar } from '../../src/archive/tar-source.ts'
import { unpacked } from '../../src/archive/unpacked.ts'
import { run } from '../support/program.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { importAll, inPieces } from './importing.ts'
import type { FuzzInput } from './input.ts'
import { mutated } from './mutate.ts'

const BLOCK = 512
const PIECES_MAX = [1, 3, 50, 2000]
const SKIPPABLE = Buffer.from('502a4d1803000000616263', 'hex')

/** Bytes made of one of the sample archives. */
type Made = (sample: Buffer, random: Random) => Buffer

function archiveInput(made: Made): FuzzInput {
  return {
    canary: /a bug/,
    seeds: 50,
    async open({ folder, isBroken }) {
      const samples = samplesOf(folder)
      return {
        async run(seed) {
          const random = randomFrom(seed)
          await readAll(made(random.pick(samples), random), random, isBroken)
        },
        close: async () => undefined,
      }
    },
  }
}

export const tarInput = archiveInput((sample, random) => summed(mutated(sample, random, 8), random))

export const compressedInput = archiveInput((sample, random) => {
  const packed = partsOf(sample, random).map((part) =>
    random.below(2) === 0 ? gzipSync(part) : zstdCompressSync(part),
  )
  if (random.below(4) === 0) packed.splice(random.below(packed.length + 1), 0, SKIPPABLE)
  const whole = Buffer.concat(packed)
  return random.below(8) === 0 ? whole : mutated(whole, random)
})

async function readAll(bytes: Buffer, random: Random, isBroken: boolean): Promise<void> {
  const source = inPieces(bytes, Math.ceil(bytes.length / random.pick(PIECES_MAX)) || 1)
  await importAll(async (send, options) => {
    // What is wrong in the canary.
    if (isBroken && bytes.length % 5 === 0) throw new TypeError('a bug')
    await readTar(await unpacked(source), send, options)
  })
}

/** Archives of a tree with some of everything, in each format. */
function samplesOf(folder: string): Buffer[] {
  const tree = join(folder, 'tree')
  mkdirSync(join(tree, 'd', 'e'.repeat(120)), { recursive: true })
  writeFileSync(join(tree, 'one'), 'one\n')
  writeFileSync(join(tree, 'empty'), '')
  writeFileSync(join(tree, 'd', 'large'), Buffer.alloc(70_000, 'large '))
  writeFileSync(join(tree, 'd', 'n'.repeat(150)), 'a long name\n')
  writeFileSync(join(tree, 'holes'), 'x')
  truncateSync(join(tree, 'holes'), 1_000_000)
  symlinkSync('../one', join(tree, 'd', 'link'))
  run('ln', [join(tree, 'one'), join(tree, 'two')])
  run('mkfifo', [join(tree, 'fifo')])
  return ['gnu', 'oldgnu', 'pax', 'ustar', 'v7', 'pax -S', 'gnu -S', 'pax-0.0']
    .map((kind, at) => {
      const [format = '', ...more] = kind.split(' ')
      const file = join(folder, `${at}.tar`)
      const sparse =
        format === 'pax-0.0'
          ? ['--format=pax', '-S', '--sparse-version=0.0']
          : [`--format=${format}`, ...more]
      const left = ['ustar', 'v7'].includes(format)
        ? ['--exclude=eee*', '--exclude=nnn*', '--exclude=fifo']
        : []
      run('tar', [...sparse, ...left, '--mtime=2026-01-01', '-cf', file, '-C', folder, 'tree'])
      return run('base64', ['-w0', file])
    })
    .map((text) => Buffer.from(text, 'base64'))
}

/**
 * With right checksums in what look like headers, most of the time: else nothing behind the first
 * damage is read.
 */
function summed(bytes: Buffer, random: Random): Buffer {
  if (random.below(5) === 0) return bytes
  for (let at = 0; at + BLOCK <= bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK)
    if (block.toString('latin1', 257, 262) !== 'ustar') continue
    block.fill(' ', 148, 156)
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  }
  return bytes
}

/** Stretches that are compressed apart: members, frames. */
function partsOf(bytes: Buffer, random: Random): Buffer[] {
  const cuts = Array.from({ length: random.below(4) }, () => random.below(bytes.length))
  const ends = [0, ...cuts.sort((a, b) => a - b), bytes.length]
  return ends.slice(1).map((end, at) => bytes.subarray(ends[at], end))
}
