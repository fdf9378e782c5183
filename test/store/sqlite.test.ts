// The SQLite engine under the suite of all engines.

import { existsSync } from 'node:fs'
import t from 'tap'
import { openEngine } from '../../src/store/open.ts'
import { storeSuite } from './suite.ts'

storeSuite(t, 'sqlite', (path) =>
  openEngine(path, { create: !existsSync(path), backend: 'sqlite' }),
)
