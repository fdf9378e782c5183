// The memory engine under the suite of all engines.

import t from 'tap'
import { openStore } from '../../src/store/open.ts'
import { storeSuite } from './suite.ts'

storeSuite(t, 'memory', (path) => openStore(path, { backend: 'memory' }))
