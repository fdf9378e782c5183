// The version of avfs, as package.json says it. The file stands two directories above this one, in
// a checkout and in the npm package.

import { readFileSync } from 'node:fs'

const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')

/** '1.2.3' */
export const version = (JSON.parse(text) as { version: string }).version
