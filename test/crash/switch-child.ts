// Puts a copy of a folder in its place and kills itself at a named point: switch FRESH PATH
// FORMER|- exchange|rename POINT; or repairs a vault and does so: repair VAULT POINT.

import { repairVault } from '../../src/control/offline/repair-vault.ts'
import { switchFiles } from '../../src/control/vaults/switch-files.ts'

const [work, ...given] = process.argv.slice(2) as [string, ...string[]]
const reached = (name: string): void => {
  if (name === given.at(-1)) process.kill(process.pid, 'SIGKILL')
}
if (work === 'repair') {
  const options = { copy: true, onStep: () => undefined, report: () => undefined, reached }
  await repairVault(given[0] as string, options)
} else {
  const [fresh, path, former, way] = given as [string, string, string, string]
  const exchange = way === 'rename' ? { exchange: () => false } : {}
  switchFiles(fresh, path, former === '-' ? null : former, { reached, ...exchange })
}
