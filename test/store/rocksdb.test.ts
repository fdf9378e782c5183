// The RocksDB engine: as a key-value engine, and under the suite of all engines.

import { existsSync } from 'node:fs'
import t from 'tap'
import { openEngine } from '../../src/store/open.ts'
import { openRocksdb } from '../../src/store/rocksdb.ts'
import { engineSuite } from './engine-suite.ts'
import { storeSuite } from './suite.ts'

engineSuite(t, 'rocksdb', openRocksdb)
storeSuite(t, 'rocksdb', (path) =>
  openEngine(path, { create: !existsSync(path), backend: 'rocksdb' }),
)
