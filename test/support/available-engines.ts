// The engines that can be used here and keep vaults on disk, in the order of the registry: what is to hold on all of them is
// tested in a loop over these.

import { availabilityOfBackend, persistentBackends } from '../../src/store/open.ts'

/** Names of engines. */
export async function availableEngines(): Promise<string[]> {
  const engines: string[] = []
  for (const backend of persistentBackends)
    if ((await availabilityOfBackend(backend)).available) engines.push(backend.name)
  return engines
}
