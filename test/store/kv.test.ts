// The codec of key-value engines under the suite of all engines: rows of every kind become bytes
// and rows again.

import t from 'tap'
import { openKvStore } from '../../src/store/kv/kv-store.ts'
import { MemoryEngine } from './memory-engine.ts'
import { storeSuite } from './suite.ts'

const options = { create: true, readOnly: false, cacheBytes: 0 }

storeSuite(t, 'kv-memory', (path) => openKvStore(async () => new MemoryEngine(), path, options))
