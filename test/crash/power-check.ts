// Opens vaults that a power cut left, one after the other, in a process of its own, because an
// engine may end its process when it finds damage. Each message is an Examination; each answer says
// what was found, or what was wrong.

import { createHash } from 'node:crypto'
import { fileType, S_IFDIR, S_IFLNK } from '../../src/base/mode.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { openVault } from '../../src/vault/vault.ts'
import { type Waiting, waiting } from '../support/waiting.ts'
import type { Node } from './model.ts'
import { type Found, findPrefix, type Tree } from './oracle.ts'

/**
 * What must be there: below `dir`, `least` to `most` operations of a seed, or a tree of this
 * digest.
 */
export interface Demand {
  readonly dir: string
  readonly seed: number
  readonly least: number
  readonly most: number
  readonly digest?: string
}

export interface Examination {
  readonly vault: string
  readonly demands: readonly Demand[]
}

/** What is there, a line and a digest for each demand. */
export interface Answer {
  readonly found: readonly string[]
  readonly digests: readonly string[]
  readonly problems: readonly string[]
}

const root = { uid: 0, gid: 0, pid: 1 }

async function examine({ vault: path, demands }: Examination): Promise<Answer> {
  const found: string[] = []
  const digests: string[] = []
  const problems: string[] = []
  const vault = await openVault(path, { cacheBytes: 64 * 1024 * 1024 })
  try {
    const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
    for (const demand of demands) {
      const tree = await readVault(fs, demand.dir)
      const digest = digestOf(tree)
      digests.push(digest)
      if (demand.digest === undefined) found.push(prefixIn(tree, demand, problems))
      else if (demand.digest !== digest) problems.push(`${demand.dir} is not what it was`)
    }
    const report = await vault.check({ deep: true })
    problems.push(...report.problems.map(({ message }) => message))
  } finally {
    await vault.close()
  }
  return { found, digests, problems }
}

function prefixIn(tree: Tree, { dir, seed, least, most }: Demand, problems: string[]): string {
  try {
    const { count, torn } = findPrefix(tree, seed, least, most)
    return `${count}${torn ? ' and a bit' : ''} of ${most}, ${least} had to be`
  } catch (error) {
    problems.push(`${dir}: ${String(error)}`)
    return 'no prefix'
  }
}

/** The tree below a path of the vault; empty if that is not there. */
async function readVault(fs: Waiting<FileSystem>, dir: string): Promise<Tree> {
  const tree = new Map<string, Found>()
  let ino = ROOT_INO
  for (const name of dir.split('/')) {
    const node = await fs.lookup(root, ino, name)
    if (node === undefined) return tree
    ino = node.ino
  }
  await readDirectory(fs, ino, '', tree)
  return tree
}

async function readDirectory(
  fs: Waiting<FileSystem>,
  ino: number,
  path: string,
  into: Map<string, Found>,
): Promise<void> {
  // A listing that had to wait begins anew.
  const names = new Set<string>()
  const { handle } = await fs.opendir(root, ino)
  await fs.readdir(root, ino, handle, 0, false, (name) => {
    if (name !== '.' && name !== '..') names.add(name)
    return true
  })
  await fs.releasedir(handle)
  for (const name of [...names].sort()) {
    const at = await fs.lookup(root, ino, name)
    if (at === undefined) throw new Error(`${path}${name} is listed and not found`)
    const { mode, nlink, size } = at
    const found = { ino: at.ino, nlink, mode, node: await nodeOf(fs, at.ino, mode, size) }
    into.set(`${path}${name}`, found)
    if (found.node.kind === 'directory') await readDirectory(fs, at.ino, `${path}${name}/`, into)
  }
}

async function nodeOf(
  fs: Waiting<FileSystem>,
  ino: number,
  mode: number,
  size: number,
): Promise<Node> {
  const type = fileType(mode)
  if (type === fileType(S_IFDIR)) return { kind: 'directory' }
  if (type === fileType(S_IFLNK)) return { kind: 'symlink', target: await fs.readlink(root, ino) }
  const content = Buffer.concat(await fs.read(root, ino, 0, size))
  if (content.length !== size)
    throw new Error(`inode ${ino} has ${content.length} of ${size} bytes`)
  return { kind: 'file', content, mode: mode & 0o7777 }
}

function digestOf(tree: Tree): string {
  const hash = createHash('sha256')
  for (const [path, { ino, nlink, mode, node }] of tree) {
    hash.update(`${path} ${ino} ${nlink} ${mode} ${node.kind === 'symlink' ? node.target : ''}\n`)
    if (node.kind === 'file') hash.update(node.content)
  }
  return hash.digest('hex')
}

process.on('message', (examination: Examination) => {
  examine(examination).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      process.send?.({ found: [], digests: [], problems: [text] } satisfies Answer)
    },
  )
})
