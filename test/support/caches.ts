// Empties the kernel's caches, so that tests see what a file system really holds.

import { writeFileSync } from 'node:fs'
import { run } from './program.ts'

/** Writes what is dirty and drops pages, names and inodes of every file system. Root only. */
export function dropCaches(): void {
  run('sync', [])
  writeFileSync('/proc/sys/vm/drop_caches', '3')
}
