// Loads the one native addon of avfs. It stands two directories below the package, in a checkout (src/base) as in
// the npm package (dist/base); what its functions mean is up to the callers.

import { createRequire } from 'node:module'

const PATH = '../../native/fuse/build/fuse.node'

const require = createRequire(import.meta.url)
let loaded: unknown

/** The addon's exports. Throws one line that says how to build it when it is missing. */
export function loadNative(): unknown {
  try {
    loaded ??= require(PATH)
  } catch (error) {
    throw new Error(
      'the native addon native/fuse/build/fuse.node cannot be loaded: run `make build` in a checkout',
      { cause: error },
    )
  }
  return loaded
}
