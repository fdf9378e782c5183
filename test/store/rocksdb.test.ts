// RocksDB as a key-value engine.

import t from 'tap'
import { openRocksdb } from '../../src/store/rocksdb/rocksdb.ts'
import { engineSuite } from './engine-suite.ts'

engineSuite(t, 'rocksdb', openRocksdb)
