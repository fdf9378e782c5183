// `avfs backends`: the engines that can store a vault, and for those that cannot be used here what to do.

import type { CommandModule } from 'yargs'
import { availabilityOfBackend, persistentBackends } from '../../store/open.ts'
import { printResult, table } from '../output.ts'
import type { CommonArguments } from './common.ts'

export const backendsCommand: CommandModule<object, CommonArguments> = {
  command: 'backends',
  describe: 'show the engines that can store a vault, and how to get those that are missing',
  builder: (yargs) =>
    yargs.example('$0 backends', '').example('$0 vault create fast --backend lmdb', 'uses one'),
  handler: async ({ json }) => {
    const found = await Promise.all(
      persistentBackends.map(async (backend, index) => ({
        name: backend.name,
        isDefault: index === 0,
        file: `NAME${backend.suffix}${backend.isFolder ? '/' : ''}`,
        ...(await availabilityOfBackend(backend)),
      })),
    )
    const rows = found.map(({ name, isDefault, file, available, version }) => [
      isDefault ? `${name} (default)` : name,
      file,
      available ? 'yes' : 'no',
      version ?? '-',
    ])
    const missing = found.flatMap(({ name, why, command }) =>
      why === null ? [] : [`${name} is not available: ${why}; run: ${command}`],
    )
    const text = [table([['BACKEND', 'VAULT', 'AVAILABLE', 'VERSION'], ...rows]), ...missing]
    printResult(json === true, found, text.join('\n'))
  },
}
