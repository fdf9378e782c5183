// Loaded into a daemon (--import), it makes fdatasync(2), with which the intent log is synced, do
// nothing: what the power cuts have to find.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

fs.fdatasyncSync = () => undefined
fs.fdatasync = ((_fd: number, done: (error: null) => void) => done(null)) as typeof fs.fdatasync
syncBuiltinESMExports()
