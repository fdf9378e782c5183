// Loaded before a daemon (node --import): its host's clock is ahead by as many milliseconds as the
// file says that AVFS_TEST_SHIFT names, from the moment that it says so. Nothing else of the daemon
// knows of it.

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
