// Backs up a vault and, if a failpoint is named, kills itself there: VAULT DEST whole|incremental
// POINT.

import { backUp } from '../../src/control/offline/backup.ts'
import { askOf } from '../support/backup.ts'

const [vault, dest, how, point] = process.argv.slice(2) as [string, string, string, string]
await backUp(dest, {
  ...(await askOf(vault)),
  incremental: how === 'incremental',
  notice: () => undefined,
  onProgress: () => undefined,
  reached: (name) => {
    if (name === point) process.kill(process.pid, 'SIGKILL')
  },
})
