// Loaded before a daemon (node --import): shifts its host's clock ahead by the number of
// milliseconds in the file that AVFS_TEST_SHIFT names, as soon as the file has one. Nothing else in
// the daemon knows of it.

import { readFileSync } from 'node:fs'

const { AVFS_TEST_SHIFT: file } = process.env
const { now } = Date
let [shift, readAt] = [0, Number.NEGATIVE_INFINITY]

Date.now = () => {
  if (file !== undefined && performance.now() > readAt + 20) {
    readAt = performance.now()
    shift = Number(readFileSync(file, 'utf8'))
  }
  return now() + shift
}
