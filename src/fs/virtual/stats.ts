// stats.json: what `avfs vault stats --json` prints, as far as it is known without a walk over all rows.

import { jsonFile } from './computed.ts'
import type { View, Views } from './view.ts'

export function statsFile({ fs }: Views, _caller: unknown, up: View): View {
  return jsonFile('stats', up, fs.vault.stats())
}
