// Trees as lines that can be compared: of a file system, and of the plain model beside it.

import type { FileSystem } from '../../src/fs/file-system.ts'
import type { Waiting } from '../support/waiting.ts'
import type { PlainFile } from './plain-model.ts'
import { caller } from './random-run.ts'

/**
 * The tree of a file system as comparable lines: path, kind, mode, links, size, bytes, attributes.
 */
export async function describe(fs: Waiting<FileSystem>, ino: number, path = ''): Promise<string[]> {
  const lines: string[] = []
  const { handle } = await fs.opendir(caller, ino)
  const names: string[] = []
  await fs.readdir(caller, ino, handle, 0, false, (name) => {
    if (name !== '.' && name !== '..') names.push(name)
    return true
  })
  await fs.releasedir(handle)
  for (const name of names.sort()) {
    const node = await fs.lookup(caller, ino, name)
    if (node === undefined) throw new Error(`${path}/${name} is listed and not found`)
    const isDirectory = node.mode >>> 12 === 4
    const isWhiteout = node.mode >>> 12 === 2
    const bytes = isDirectory || isWhiteout ? [] : await fs.read(caller, node.ino, 0, node.size)
    const xattrs = new Map<string, string>()
    for (const key of isDirectory ? [] : await fs.listxattr(caller, node.ino)) {
      const value = (await fs.getxattr(caller, node.ino, key, false)) ?? []
      xattrs.set(key, Buffer.from(value).toString('hex'))
    }
    lines.push(line(`${path}/${name}`, node.mode, node.nlink, Buffer.concat(bytes), xattrs))
    if (isDirectory) lines.push(...(await describe(fs, node.ino, `${path}/${name}`)))
    await fs.forget(node.ino, 1)
  }
  return lines
}

/** The same of the plain model. */
export function describePlain(directory: PlainFile, path = ''): string[] {
  const lines: string[] = []
  for (const name of [...directory.names.keys()].sort()) {
    const file = directory.names.get(name)
    if (file === undefined) continue
    const xattrs = new Map(
      [...file.xattrs].map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
    )
    lines.push(line(`${path}/${name}`, file.mode, file.nlink, file.bytes, xattrs))
    if (file.kind === 'directory') lines.push(...describePlain(file, `${path}/${name}`))
  }
  return lines
}

function line(
  path: string,
  mode: number,
  nlink: number,
  bytes: Uint8Array,
  xattrs: Map<string, string>,
): string {
  const { length } = bytes
  const content = Buffer.from(bytes).toString('base64')
  const attributes = [...xattrs].sort().join(' ')
  return `${path} ${mode.toString(8)} ${nlink} ${length} ${attributes} ${content}`
}

/** The first difference of two descriptions, short enough to read. */
export function difference(found: string[], wanted: string[]): string | undefined {
  for (let at = 0; at < Math.max(found.length, wanted.length); at++)
    if (found[at] !== wanted[at])
      return `found ${found[at]?.slice(0, 200)}\nwanted ${wanted[at]?.slice(0, 200)}`
  return undefined
}
