// The content of a directory tree as text: one line for each name with everything that stat and
// read return for it. Two trees are equal when their descriptions are. Knows nothing of avfs.

import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { run } from './program.ts'

export interface TreeOptions {
  /** Whether modification times count. */
  readonly times: boolean
}

/**
 * The names below `root` in order, each with type, mode, owner, links, size, rdev, mtime and a hash
 * of its content.
 */
export function describeTree(root: string, options: TreeOptions = { times: true }): string[] {
  const lines: string[] = []
  const visit = (path: Buffer, name: string): void => {
    const stat = lstatSync(path, { bigint: true })
    const isDirectory = stat.isDirectory()
    lines.push(
      [
        name,
        stat.mode.toString(8),
        `${stat.uid}:${stat.gid}`,
        `nlink=${stat.nlink}`,
        isDirectory ? '' : `size=${stat.size} rdev=${stat.rdev}`,
        options.times ? `mtime=${stat.mtimeNs}` : '',
        stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '',
        stat.isSymbolicLink() ? readlinkSync(path, 'latin1') : '',
      ].join(' '),
    )
    if (!isDirectory) return
    const names = readdirSync(path, { encoding: 'buffer' }).map((entry) => Buffer.from(entry))
    for (const entry of names.sort(Buffer.compare)) {
      visit(Buffer.concat([path, Buffer.from('/'), entry]), `${name}/${entry.toString('latin1')}`)
    }
  }
  visit(Buffer.from(root), '.')
  return lines
}

/** The same lines without setuid and setgid of files, as views show them. */
export function withoutPrivileges(lines: readonly string[]): string[] {
  return lines.map((line) =>
    line.replace(/^(\S+ 10)(\d)(\d{3}) /, (_all, name, bits, mode) => `${name}${bits & 1}${mode} `),
  )
}

/**
 * All extended attributes below `root`, ACLs too, as getfattr prints them, a file an item; needs
 * its program.
 */
export function describeXattrs(root: string): string[] {
  const flags = ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex']
  // It lists in the order of the directory, which is nobody's promise.
  return run('getfattr', [...flags, '.'], { cwd: root })
    .trim()
    .split('\n\n')
    .sort()
}
