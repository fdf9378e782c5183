// Loaded before a test file: keeps what Node makes of the sources between two files, for this
// process alone. What a test starts has the cache that avfs chooses itself, or none.

import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/avfs-tests'))
