// Where an inode is or was found last, for rules that speak of paths: pathOf of names.ts for those that are gone too.

import { type HardlinkRow, hardlink, inodePast, inode as inodes } from '../store/collections.ts'
import { circleCheck } from './circle.ts'
import type { Core } from './core.ts'

const ROOT_INO = 1
const ALL = 1_000_000

/** Paths of directories that were found before, as long as nothing changes meanwhile. */
export type KnownPaths = Map<number, string>

/** The path of a directory or file, now or when it was last there; undefined when that is not known any more. */
export function lastPath(core: Core, ino: number, known?: KnownPaths): string | undefined {
  const names: string[] = []
  const isCircle = circleCheck()
  let at = ino
  while (at !== ROOT_INO) {
    const above = known?.get(at)
    if (above !== undefined) return names.length === 0 ? above : `${above}/${joined(names)}`
    const row = core.inodes.get(at) ?? core.overlay.get(inodes, [at]) ?? lastState(core, at)
    if (row === undefined || row.name === '' || isCircle(at)) return undefined
    names.push(row.name)
    at = row.parent
  }
  return `/${joined(names)}`
}

function joined(names: string[]): string {
  return names.reverse().join('/')
}

function lastState(core: Core, ino: number) {
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
  return core.overlay.scan(inodePast, range)[0]
}

/** All paths of an inode: more than one for hard links. */
export function lastPaths(core: Core, ino: number): string[] {
  const paths = [lastPath(core, ino)]
  const others = core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: ALL })
  for (const row of others) paths.push(pathOfName(core, row))
  return paths.filter((path) => path !== undefined)
}

function pathOfName(core: Core, { parent, name }: HardlinkRow): string | undefined {
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
