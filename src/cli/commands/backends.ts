// `avfs backends`: the engines that can store a vault, those that search it, and for what cannot be
// used here what to do.

import type { CommandModule } from 'yargs'
import { availabilityOfSearch, searchBackends } from '../../search/engines.ts'
import { availabilityOfBackend, persistentBackends } from '../../store/open.ts'
import { printResult, table } from '../output.ts'
import type { CommonArguments } from './common.ts'

export const backendsCommand: CommandModule<object, CommonArguments> = {
  command: 'backends',
  describe:
    'show the engines that can store or search a vault, and how to get those that are missing',
  builder: (yargs) =>
    yargs.example('$0 backends', '').example('$0 vault create fast --backend lmdb', 'uses one'),
  handler: async ({ json }) => {
    const [stores, searches] = await Promise.all([foundStores(), foundSearches()])
    const text = [
      table([
        ['BACKEND', 'VAULT', 'AVAILABLE', 'VERSION'],
        ...stores.map((found) => {
          const name = found.isDefault ? `${found.name} (default)` : found.name
          return [name, found.file, ...columnsOf(found)]
        }),
      ]),
      '',
      table([
        ['SEARCH', 'INDEX', 'AVAILABLE', 'VERSION'],
        ...searches.map((found) => [found.name, found.index, ...columnsOf(found)]),
      ]),
      ...[...stores, ...searches].flatMap(({ name, why, command }) =>
        why === null ? [] : [`${name} is not available: ${why}; run: ${command}`],
      ),
    ]
    printResult(json === true, [...stores, ...searches], text.join('\n'))
  },
}

function foundStores() {
  return Promise.all(
    persistentBackends.map(async (backend, index) => ({
      kind: 'store',
      name: backend.name,
      isDefault: index === 0,
      file: `NAME${backend.suffix}${backend.isFolder ? '/' : ''}`,
      ...(await availabilityOfBackend(backend)),
    })),
  )
}

function foundSearches() {
  return Promise.all(
    searchBackends.map(async (backend) => ({
      kind: 'search',
      name: backend.name,
      index: backend.index,
      ...(await availabilityOfSearch(backend)),
    })),
  )
}

function columnsOf(found: { available: boolean; version: string | null }): string[] {
  return [found.available ? 'yes' : 'no', found.version ?? '-']
}
