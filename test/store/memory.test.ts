// The memory engine under the suite of all engines.

import t from 'tap'
import { openEngine } from '../../src/store/open.ts'
import { storeSuite } from './suite.ts'

storeSuite(t, 'memory', (path) => openEngine(path, { backend: 'memory' }))
