// The sled engine: as a key-value engine, and under the suite of all engines.

import { existsSync } from 'node:fs'
import t from 'tap'
import { openEngine } from '../../src/store/open.ts'
import { openSled } from '../../src/store/sled.ts'
import { engineSuite } from './engine-suite.ts'
import { storeSuite } from './suite.ts'

engineSuite(t, 'sled', openSled)
storeSuite(t, 'sled', (path) => openEngine(path, { create: !existsSync(path), backend: 'sled' }))
