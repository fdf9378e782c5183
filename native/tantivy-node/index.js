// The addon, by its names. It is there once `npm run build` has made it.

'use strict'

const addon = require('./build/tantivy-node.node')

exports.VERSION = addon.VERSION
exports.TantivyIndex = addon.TantivyIndex
exports.open = addon.open
