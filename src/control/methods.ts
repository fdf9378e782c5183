// What can be asked of an open vault: one table. The daemon runs it for those who ask over the socket, the command line runs
// it on a vault that nobody holds; neither adds anything. A new method is a row here and a command in src/cli/commands.

import { statSync } from 'node:fs'
import type { Vault } from '../vault/vault.ts'
import type { Report } from './protocol.ts'

/** Parameters as they come off the wire: names to values that each method checks itself. */
export type Parameters = Readonly<Record<string, unknown>>

export interface Method {
  /** Needs no write access: a vault is opened read-only for it. */
  readonly readOnly: boolean
  run(vault: Vault, parameters: Parameters, report: Report): Promise<object>
}

export type MethodName = 'info' | 'stats' | 'check' | 'compact' | 'sync'

export const methods: Readonly<Record<MethodName, Method>> = {
  info: {
    readOnly: true,
    run: async (vault) => vault.info(),
  },
  stats: {
    readOnly: true,
    run: async (vault) => vault.stats(),
  },
  check: {
    readOnly: true,
    run: (vault, parameters, report) =>
      vault.check({ deep: parameters.deep === true, onProgress: report }),
  },
  compact: {
    readOnly: false,
    run: async (vault) => {
      const bytesBefore = bytesOnDisk(vault)
      await vault.compact()
      return { bytesBefore, bytesAfter: bytesOnDisk(vault) }
    },
  },
  sync: {
    readOnly: false,
    run: async (vault) => {
      await vault.sync()
      return {}
    },
  },
}

/** True for the name of a row of `methods`. */
export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(methods, name)
}

function bytesOnDisk(vault: Vault): number {
  const { path } = vault.info()
  return [path, `${path}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
}
