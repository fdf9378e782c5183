// Every input that is fuzzed, by its name. To add one, write a file that implements FuzzInput, and
// add a row here.

import { persistentBackends } from '../../src/store/open.ts'
import { compressedInput, tarInput } from './archives.ts'
import { controlInput } from './control.ts'
import { gitInput } from './git.ts'
import { globsInput } from './globs.ts'
import { historyInput } from './history.ts'
import type { FuzzInput } from './input.ts'
import { intentLogInput } from './intent-log.ts'
import { modelInput } from './model.ts'
import { notesInput } from './notes.ts'
import { protocolInput } from './protocol.ts'
import { queriesInput } from './queries.ts'
import { rowsInput, valuesInput } from './rows.ts'
import { whenInput } from './when.ts'

export const fuzzInputs: Readonly<Record<string, FuzzInput>> = {
  protocol: protocolInput,
  control: controlInput,
  tar: tarInput,
  compressed: compressedInput,
  git: gitInput,
  history: historyInput,
  'intent-log': intentLogInput,
  values: valuesInput,
  ...Object.fromEntries(persistentBackends.map(({ name }) => [`rows-${name}`, rowsInput(name)])),
  notes: notesInput,
  queries: queriesInput,
  when: whenInput,
  globs: globsInput,
  model: modelInput,
}
