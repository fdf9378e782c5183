// stats.json: what `avfs vault stats --json` prints, as far as it is known without a walk over all
// rows.

import type { Caller } from '../operations.ts'
import { jsonFile } from './computed.ts'
import type { View, ViewContext } from './view.ts'

export function statsFile({ fs }: ViewContext, caller: Caller, up: View): View {
  return jsonFile('stats.json', up, caller, fs.vault.stats())
}
