// Migrates a vault and, if a failpoint is named, kills itself there: VAULT ENGINE POINT. Prints the
// messages of the migration.

import { writeSync } from 'node:fs'
import { migrateVault } from '../../src/control/offline/migration.ts'

const [vault, to, point] = process.argv.slice(2) as [string, string, string]
writeSync(1, 'begun\n')
await migrateVault(vault, {
  to,
  output: undefined,
  keepOriginal: false,
  dryRun: false,
  skipDamaged: false,
  damaged: ({ message }) => void writeSync(1, `damaged: ${message}\n`),
  notice: (text) => void writeSync(1, `${text}\n`),
  onProgress: () => undefined,
  reached: (name) => {
    if (name === point) process.kill(process.pid, 'SIGKILL')
  },
})
writeSync(1, 'done\n')
