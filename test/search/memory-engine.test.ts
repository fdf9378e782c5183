// The reference model under the suite of all search engines: the suite expects what the model
// finds.

import t from 'tap'
import type { Plan, SearchEngine } from '../../src/search/engine.ts'
import { StoreError } from '../../src/store/store.ts'
import { openMemoryEngine } from './memory-engine.ts'
import { searchEngineSuite } from './suite.ts'

searchEngineSuite(t, 'memory', async () => refusing(openMemoryEngine()), { persistent: false })

/** The model follows a plan by calls within calls; where those end, an engine refuses. */
function refusing(model: SearchEngine): SearchEngine {
  const orRefuse = <T>(answer: () => T): T => {
    try {
      return answer()
    } catch (error) {
      if (error instanceof RangeError) throw new StoreError('io', 'the plan is nested too deeply')
      throw error
    }
  }
  const { query, among } = model
  return Object.assign(model, {
    query: (plan: Plan, limit: number, offset: number) =>
      orRefuse(() => query.call(model, plan, limit, offset)),
    among: (plan: Plan, ids: readonly number[]) => orRefuse(() => among.call(model, plan, ids)),
  })
}
