// Every input that is fuzzed, by its name. A new one is a file that fulfils FuzzInput, and a row here.

import { globsInput } from './globs.ts'
import type { FuzzInput } from './input.ts'
import { protocolInput } from './protocol.ts'
import { queriesInput } from './queries.ts'
import { whenInput } from './when.ts'

export const fuzzInputs: Readonly<Record<string, FuzzInput>> = {
  protocol: protocolInput,
  queries: queriesInput,
  when: whenInput,
  globs: globsInput,
}
