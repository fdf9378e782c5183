// Loaded before a test file: keeps Node's compile cache of the sources between two files, for this
// process alone. Programs that a test starts have the cache that avfs chooses itself, or none.

import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/avfs-tests'))
