// Which engines the tests run on: every one of the registry whose vaults outlive a process, so that
// a new engine is tested everywhere once it has its row there. AVFS_TEST_BACKENDS=lmdb,sqlite
// limits the tests to some. One that is not available fails.

import { type Backend, needBackend, persistentBackends } from '../../src/store/open.ts'

const wanted = process.env.AVFS_TEST_BACKENDS?.split(',')

export const testedBackends: readonly Backend[] = persistentBackends.filter(
  ({ name }) => wanted?.includes(name) ?? true,
)

for (const name of wanted ?? []) await needBackend(name)

/**
 * The engine of the tests that run on one: AVFS_TEST_BACKEND, or AVFS_CRASH_BACKEND, by which
 * people run the crash tests alone; the default unless either is said.
 */
export const testBackend: Backend = backendNamed(
  process.env.AVFS_TEST_BACKEND ?? process.env.AVFS_CRASH_BACKEND ?? 'sqlite',
)

/** Throws for a name that no engine has. */
export function backendNamed(name: string): Backend {
  const found = persistentBackends.find((backend) => backend.name === name)
  if (found === undefined) throw new Error(`no engine is named ${name}`)
  return found
}
