// The version of avfs in package.json, which lies two directories above this file, in a checkout
// and in the npm package.

import { readFileSync } from 'node:fs'

const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')

/** '1.2.3' */
export const version = (JSON.parse(text) as { version: string }).version
