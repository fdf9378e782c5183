// What a power cut may leave of LevelDB's folder: the end of its MANIFEST without the tables to
// which it refers.

import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { openLevel } from '../../src/store/leveldb/leveldb.ts'

setLog('error')
const OPTIONS = { create: false, readOnly: false, cacheBytes: 1 << 20 }
const COUNT = 300
const value = (at: number): string => `${at} `.repeat(200)

/** A folder as the disk has it after a cut behind the append to the MANIFEST, and its MANIFEST. */
async function cutOff(t: Test): Promise<string> {
  const folder = t.testdir()
  const [whole, cut] = [join(folder, 'whole'), join(folder, 'cut')]
  const level = new ClassicLevel(whole)
  await level.open()
  for (let at = 0; at < COUNT / 2; at++) await level.put(`${at}`, value(at), { sync: true })
  await level.compactRange('', '~')
  for (let at = COUNT / 2; at < COUNT; at++) await level.put(`${at}`, value(at), { sync: true })
  cpSync(whole, cut, { recursive: true })
  await level.compactRange('', '~')
  const [manifest = ''] = readdirSync(whole).filter((name) => name.startsWith('MANIFEST'))
  copyFileSync(join(whole, manifest), join(cut, manifest))
  await level.close()
  return cut
}

t.test('a MANIFEST that is ahead of its tables goes back to what was synced', async (t) => {
  const folder = await cutOff(t)
  await t.rejects(new ClassicLevel(folder).open(), { cause: { message: /missing files/ } })
  const engine = await openLevel(folder, OPTIONS)
  await engine.close()
  const level = new ClassicLevel(folder)
  await level.open()
  for (let at = 0; at < COUNT; at++)
    if ((await level.get(`${at}`)) !== value(at)) t.fail(`value ${at} is lost`)
  await level.close()
})

t.test('a table that is missing for another reason is told, and nothing is changed', async (t) => {
  const folder = await cutOff(t)
  const healthy = await openLevel(folder, OPTIONS)
  await healthy.close()
  const names = readdirSync(folder)
  const [manifest = ''] = names.filter((name) => name.startsWith('MANIFEST'))
  for (const name of names.filter((name) => name.endsWith('.ldb'))) rmSync(join(folder, name))
  const before = readFileSync(join(folder, manifest))
  await t.rejects(openLevel(folder, OPTIONS), { kind: 'corrupt', message: /missing files/ })
  t.same(readFileSync(join(folder, manifest)), before)
})

t.test('a table that is being written is not looked at', async (t) => {
  const folder = await cutOff(t)
  const engine = await openLevel(folder, OPTIONS)
  const [table = ''] = readdirSync(folder).filter((name) => name.endsWith('.ldb'))
  const whole = readFileSync(join(folder, table))
  writeFileSync(join(folder, '099999.ldb'), whole.subarray(0, -10))
  t.same(await engine.verify(), [])
  writeFileSync(join(folder, table), whole.subarray(0, -10))
  t.match(await engine.verify(), [/has no footer/])
  await engine.close()
})
