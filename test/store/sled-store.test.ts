// The Sled engine under the suite of all engines.

import { existsSync } from 'node:fs'
import t from 'tap'
import { openStore } from '../../src/store/open.ts'
import { storeSuite } from './suite.ts'

storeSuite(t, 'sled', (path) => openStore(path, { create: !existsSync(path), backend: 'sled' }))
