// Where an inode is or was found last, for rules that speak of paths: pathOf of names.ts for those that are gone too.

import { type HardlinkRow, hardlink, inodePast, inode as inodes } from '../store/collections.ts'
import type { Core } from './core.ts'

const ROOT_INO = 1
const DEPTH_MAX = 4096
const ALL = 1_000_000

/** The path of a directory or file, now or when it was last there; undefined when that is not known any more. */
export function lastPath(core: Core, ino: number): string | undefined {
  let path = ''
  let at = ino
  for (let depth = 0; at !== ROOT_INO; depth++) {
    const row = core.inodes.get(at) ?? core.overlay.get(inodes, [at]) ?? lastState(core, at)
    if (row === undefined || row.name === '' || depth > DEPTH_MAX) return undefined
    path = `/${row.name}${path}`
    at = row.parent
  }
  return path === '' ? '/' : path
}

function lastState(core: Core, ino: number) {
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
  return core.overlay.store.project(inodePast, ['ino', 'parent', 'name'], range)[0]
}

/** All paths of an inode: more than one for hard links. */
export function lastPaths(core: Core, ino: number): string[] {
  const paths = [lastPath(core, ino)]
  const others = core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: ALL })
  for (const row of others) paths.push(joined(core, row))
  return paths.filter((path) => path !== undefined)
}

function joined(core: Core, { parent, name }: HardlinkRow): string | undefined {
  return below(lastPath(core, parent), name)
}

/** The path of a name in a directory. */
export function below(directory: string | undefined, name: string): string | undefined {
  if (directory === undefined) return undefined
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

/** Whether a path is another one or below it. */
export function isWithin(path: string, top: string): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`)
}
