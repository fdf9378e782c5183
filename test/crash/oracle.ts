// Checks whether what a crash left is a prefix of what was done: the first operations up to some
// number and nothing after them, except that the content of the next one may be half done. Compares
// a tree with a model.

import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { randomFrom } from '../support/random.ts'
import { type Model, type Node, namesOf } from './model.ts'
import { apply, nextOperation, type Operation } from './operations.ts'

/** The survivor: how many operations are there; `torn` when the next one is half there. */
export interface Prefix {
  readonly count: number
  readonly torn: boolean
}

/** What a path leads to; `ino` tells which paths lead to one file. */
export interface Found {
  readonly ino: number
  readonly nlink: number
  readonly mode: number
  readonly node: Node
}

/** A tree by its paths. */
export type Tree = ReadonlyMap<string, Found>

/**
 * Finds the prefix that a tree holds, with at least `least` and at most `most` operations of the
 * seed; the longest if there are several. Throws with the differences to the longest when there is
 * none.
 */
export function findPrefix(found: Tree, seed: number, least: number, most: number): Prefix {
  const random = randomFrom(seed)
  const model: Model = new Map()
  let match: Prefix | undefined
  let differences: string[] = []
  for (let count = 0; count <= most; count++) {
    const operation = nextOperation(random, model, count + 1)
    if (count >= least) {
      differences = compare(found, model)
      if (differences.length === 0) match = { count, torn: false }
      else if (count < most && isTorn(found, model, operation)) match = { count, torn: true }
    }
    if (count < most) apply(model, operation)
  }
  if (match !== undefined) return match
  throw new Error(
    `no prefix of ${least} to ${most} operations (seed ${seed}); after ${most} it should be:\n${differences.slice(0, 20).join('\n')}`,
  )
}

/** The tree below a directory. */
export function readTree(dir: string): Tree {
  const found = new Map<string, Found>()
  for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    const full = join(dir, path)
    const stat = lstatSync(full)
    const node: Node = stat.isDirectory()
      ? { kind: 'directory' }
      : stat.isSymbolicLink()
        ? { kind: 'symlink', target: readlinkSync(full) }
        : { kind: 'file', content: readFileSync(full), mode: stat.mode & 0o7777 }
    if (node.kind === 'file' && node.content.length !== stat.size) {
      throw new Error(`${path} has ${stat.size} bytes, of which ${node.content.length} can be read`)
    }
    found.set(path, { ino: stat.ino, nlink: stat.nlink, mode: stat.mode, node })
  }
  return found
}

/** One line a path that is not what the model says. */
function compare(found: Tree, model: Model): string[] {
  const differences: string[] = []
  for (const path of found.keys()) if (!model.has(path)) differences.push(`${path}: too much`)
  for (const [path, wanted] of model) {
    const difference = compareNode(found, path, wanted, model)
    if (difference !== undefined) differences.push(`${path}: ${difference}`)
  }
  return differences
}

function compareNode(found: Tree, path: string, wanted: Node, model: Model): string | undefined {
  const there = found.get(path)
  if (there === undefined) return 'missing'
  const { node } = there
  if (node.kind !== wanted.kind) return `a ${node.kind}, not a ${wanted.kind}`
  if (node.kind === 'symlink' && wanted.kind === 'symlink' && node.target !== wanted.target) {
    return `leads to ${node.target}`
  }
  if (node.kind !== 'file' || wanted.kind !== 'file') return undefined
  if (node.mode !== wanted.mode) return `mode ${node.mode.toString(8)}`
  if (!node.content.equals(wanted.content)) {
    return `${node.content.length} bytes, not these ${wanted.content.length}`
  }
  const names = namesOf(model, wanted)
  if (there.nlink !== names.length) return `${there.nlink} links, not ${names.length}`
  return names.every((name) => found.get(name)?.ino === there.ino) ? undefined : 'not one file'
}

/** Whether the directory is at the model but for the content that the operation was writing. */
function isTorn(found: Tree, model: Model, operation: Operation): boolean {
  const { path, kind } = operation
  if (kind !== 'create' && kind !== 'replace' && kind !== 'append' && kind !== 'overwrite')
    return false
  const there = found.get(path)?.node
  if (there?.kind !== 'file') return false
  const node = model.get(path)
  const before = node?.kind === 'file' ? node.content : undefined
  const mode = node?.kind === 'file' ? node.mode : 0o644
  const after: Model = new Map(model)
  // A copy: the model itself must not take the step.
  if (node?.kind === 'file') for (const name of namesOf(model, node)) after.set(name, { ...node })
  apply(after, operation)
  const target = after.get(path)
  const whole = target?.kind === 'file' ? target.content : Buffer.alloc(0)
  // Replacing empties the file first; what it held does not shine through.
  const under = kind === 'replace' || before === undefined ? Buffer.alloc(0) : before
  if (!isBetween(there.content, under, whole)) return false
  const torn: Model = new Map(model)
  const half: Node = { kind: 'file', content: there.content, mode }
  for (const name of node === undefined ? [path] : namesOf(model, node)) torn.set(name, half)
  return compare(found, torn).length === 0
}

/** Each byte is from before, from after, or not written yet. */
function isBetween(content: Buffer, before: Buffer, after: Buffer): boolean {
  if (content.length > Math.max(before.length, after.length)) return false
  return content.every((byte, at) => byte === (before[at] ?? 0) || byte === (after[at] ?? 0))
}
