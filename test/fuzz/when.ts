// Fuzzer of times as people write them (WHEN): each text is invalid, or a time that can be printed,
// parsed again and looked up.

import { setLog } from '../../src/base/log.ts'
import { openMemory } from '../../src/store/memory.ts'
import {
  formatMoment,
  momentMeant,
  nameOfMoment,
  parseMoment,
  parseWhen,
  type When,
} from '../../src/vault/core/when.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { randomFrom } from '../support/random.ts'
import type { FuzzInput } from './input.ts'
import { textOf } from './mutate.ts'

const TEXTS = 500

const pieces = [
  '2026-11-22',
  'T',
  ' ',
  '_',
  '10-00-00',
  '10:00:00',
  '10:00',
  '.123456',
  ',5',
  'Z',
  '+01:00',
  '-0530',
  '-2359',
  '10s',
  '10m',
  '2h',
  '3d',
  '4w',
  '1y',
  '999999999y',
  'now',
  'yesterday',
  '@',
  '1795000000',
  '99999999999',
  '@GMT-2026.11.22-10.00.00',
  '@GMT-9999.12.31-23.59.59',
  '0000-01-01',
  '9999-12-31',
  '2024-02-29',
  '2026-02-29',
  '~',
  '~2',
  '~999999',
  '1',
  '0',
  '-',
  ':',
]

export const whenInput: FuzzInput = {
  canary: /is read back as/,
  seeds: 20,
  async open({ isBroken }) {
    setLog('error')
    const store = openMemory()
    await store.commit(birthBatch())
    const vault = new Vault(store, '/', { commitMs: 1e9 })
    const parse = isBroken ? lateBySome : parseWhen
    return {
      async run(seed) {
        const random = randomFrom(seed)
        for (let at = 0; at < TEXTS; at++) assertTime(vault, textOf(pieces, random, 5), parse)
      },
      close: () => vault.close(),
    }
  },
}

type Parse = typeof parseWhen

/** What is wrong in the canary. */
const lateBySome: Parse = (text, now) => {
  const when = parseWhen(text, now)
  return when !== undefined && 'wall' in when ? { ...when, wall: when.wall + 1 } : when
}

function assertTime({ core: { moments } }: Vault, text: string, parse: Parse): void {
  const now = moments.wallOf(moments.now())
  const shown = JSON.stringify(text)
  const when = parse(text, now)
  if (when === undefined) return
  for (const value of Object.values(when))
    if (!Number.isSafeInteger(value)) throw new Error(`${shown} means ${JSON.stringify(when)}`)
  const wall = parseMoment(text, now)
  if (wall === undefined || !Number.isSafeInteger(wall)) throw new Error(`${shown} is at ${wall}`)
  if ('wall' in when) assertReadBack(shown, when, parse)
  const moment = momentMeant(moments, when)
  if (moment === undefined) return
  if (!Number.isSafeInteger(moment)) throw new Error(`${shown} is the moment ${moment}`)
  nameOfMoment(moments, moment)
}

function assertReadBack(shown: string, { wall }: When & { wall: number }, parse: Parse): void {
  const name = formatMoment(wall)
  const again = parse(name, wall)
  if (again === undefined || !('wall' in again) || again.wall !== wall)
    throw new Error(`${shown} is ${wall}, and ${name} is read back as ${JSON.stringify(again)}`)
}
