// Preloaded into a process (node --import), it hides everything that engines beyond the default
// need, as if the npm package was installed without its optional dependencies.

import { registerHooks } from 'node:module'

const hidden = /^(lmdb|classic-level)(\/|$)|\/(rocksdb|sled|tantivy-node)\.node$/

registerHooks({
  resolve(specifier, context, next) {
    if (!hidden.test(specifier)) return next(specifier, context)
    const code = 'ERR_MODULE_NOT_FOUND'
    throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code })
  },
})
