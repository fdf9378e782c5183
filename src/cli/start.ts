#!/usr/bin/env node
// The program in a checkout: keeps what Node makes of the sources between two starts, in a folder
// that nobody else can write, since what lies there is run. Without a home directory nothing is
// kept.

import { mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { isAbsolute, join } from 'node:path'
import { isOwnFolder } from '../base/own-files.ts'

function cacheFolder({ HOME, XDG_CACHE_HOME }: NodeJS.ProcessEnv): string | undefined {
  const parent = [XDG_CACHE_HOME, HOME && join(HOME, '.cache')].find(
    (its) => its && isAbsolute(its),
  )
  if (!parent) return undefined
  const folder = join(parent, 'avfs')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch {
    return undefined
  }
  return isOwnFolder(folder) ? folder : undefined
}

// Who sets the variable has chosen the folder, or with '' none.
if (process.env.NODE_COMPILE_CACHE === undefined) {
  const folder = cacheFolder(process.env)
  if (folder !== undefined) {
    enableCompileCache(folder)
    // For the daemon, and the other processes that are started from here.
    process.env.NODE_COMPILE_CACHE = folder
  }
}
await import('./main.ts')
