// sled as a key-value engine.

import t from 'tap'
import { openSled } from '../../src/store/sled/sled.ts'
import { engineSuite } from './engine-suite.ts'

engineSuite(t, 'sled', openSled)
