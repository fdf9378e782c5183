// Starts fuse-native's toy file system for `make bench`, or says why it is not available.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Place } from './bench-support.ts'

/**
 * Mounts the toy in `work` when FUSE_NATIVE= names a folder that fuse-native is installed in.
 * Returns the reason, for a person, when it is not given, does not load or does not mount.
 */
export async function mountToy(work: string): Promise<Place | string> {
  const modules = process.env.FUSE_NATIVE
  if (!modules) return 'give the folder it is installed in as FUSE_NATIVE='
  const dir = join(work, 'toy')
  mkdirSync(dir)
  const daemon = spawn(
    process.execPath,
    [join(import.meta.dirname, 'bench-toy-daemon.ts'), resolve(modules), dir],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let complaint = ''
  daemon.stderr.on('data', (text: Buffer) => {
    complaint += text.toString()
  })
  const mounted = await Promise.race([
    once(daemon.stdout, 'data').then(() => true),
    once(daemon, 'exit').then(() => false),
  ])
  if (!mounted) {
    return `it does not load: ${/^\w*Error: .*$/m.exec(complaint)?.[0] ?? 'it ended without a word'}`
  }
  return {
    name: 'fuse-native',
    dir,
    close() {
      execFileSync('fusermount3', ['-u', '-z', dir])
      daemon.kill('SIGKILL')
    },
  }
}
