// A mounted vault on a host whose clock was ahead and is then set right.

import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createVault, until } from '../support/mount.ts'
import type { RunOptions } from '../support/program.ts'

t.setTimeout(300_000)

const DAYS_3 = 3 * 86_400_000
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

t.test(
  'what a clock says that was ahead and is set back changes no age and loses nothing',
  async (t) => {
    const vault = createVault(t)
    const { dir, root, name } = vault
    const shift = join(root, 'shift')
    const preload = `--import=${join(import.meta.dirname, '../support/shift-clock.ts')}`
    const options: RunOptions = { env: { AVFS_TEST_SHIFT: shift, NODE_OPTIONS: preload } }
    const avfs = (...args: string[]): string => {
      const { status, stdout, stderr } = vault.avfs(args, options)
      if (status !== 0)
        throw new Error(`avfs ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`)
      return stdout
    }
    const setAhead = (ms: number): void => writeFileSync(shift, `${ms}`)
    const view = (...path: string[]): string => join(dir, '.avfs', ...path)
    setAhead(DAYS_3)
    avfs('mount', name, dir)
    writeFileSync(join(dir, 'f'), 'ahead')
    writeFileSync(join(dir, 'gone'), 'gone')
    const aheadSeconds = Math.floor((Date.now() + DAYS_3) / 1000)
    await sleep(1500)
    setAhead(0)
    await until(() => vault.log().includes('set back by 3 days 0:00:00'), 'the log says so')
    writeFileSync(join(dir, 'f'), 'right')
    rmSync(join(dir, 'gone'))
    writeFileSync(join(dir, 'short'), 'short')
    await sleep(1500)
    rmSync(join(dir, 'short'))

    t.same(readdirSync(view('deleted')).sort(), ['gone', 'short'], 'ages are true ages')
    const ctimeMs = statSync(view('deleted/short')).ctimeMs
    t.ok(Math.abs(ctimeMs - Date.now()) < 60_000, 'times are those of the clock')
    t.equal(readFileSync(view('at/1s/f'), 'utf8'), 'right')
    const listed = readdirSync(view('at'))
    t.ok(
      listed.every((moment) => existsSync(view('at', moment))),
      'names of moments lead to them',
    )
    const states = listed.filter((moment) => existsSync(view('at', moment, 'f')))
    const texts = new Set(states.map((moment) => readFileSync(view('at', moment, 'f'), 'utf8')))
    t.same([...texts].sort(), ['ahead', 'right'])
    avfs('undelete', join(dir, 'short'))
    t.equal(readFileSync(join(dir, 'short'), 'utf8'), 'short')
    t.equal(avfs('cat', join(dir, 'f'), '--at', `@${aheadSeconds}`), 'ahead')
    avfs('restore', join(dir, 'f'), '--at', `@${aheadSeconds}`)
    t.equal(readFileSync(join(dir, 'f'), 'utf8'), 'ahead')

    const versions = JSON.parse(avfs('log', join(dir, 'f'), '--json'))
    t.equal(versions.at(-1).number, 1)
    const savedMs = versions.map(
      ({ savedAt }: { savedAt: string }) => Date.parse(savedAt) - Date.now(),
    )
    t.ok(savedMs.at(-1) > DAYS_3 - 60_000, 'saved when the clock was ahead')
    t.ok(savedMs.at(0) < 60_000, 'saved when it was right')
    const { stderr } = vault.avfs(['log', join(dir, 'f')], options)
    t.match(stderr, /the host's clock was set back by 3 days 0:00:00/)
    t.match(avfs('vault', 'info', name), /clock .*set back by 3 days 0:00:00/)
    avfs('unmount', dir)

    avfs('mount', name, dir)
    t.equal(readFileSync(view('at/1s/short'), 'utf8'), 'short', 'also after the next mount')
    avfs('unmount', dir)
    vault.check()
  },
)
