// The tantivy engine under the suite of all search engines.

import t from 'tap'
import { openTantivy } from '../../src/search/tantivy.ts'
import { searchEngineSuite } from './suite.ts'

searchEngineSuite(t, 'tantivy', (path) => openTantivy(path, { create: true }))
