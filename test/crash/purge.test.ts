// kill -9 at any time of a purge, on every engine: the vault is sound, everything else is as it
// was, and the same command run again finishes, so that no byte of the purged content is left.
// AVFS_CRASH_ROUNDS sets the kills for each engine; AVFS_SEED repeats a run, except for its timing.

import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { filesWith } from '../support/disk.ts'
import { testedBackends } from '../support/engines.ts'
import { avfsProgram, createVault } from '../support/mount.ts'
import { randomFrom, seedOf } from '../support/random.ts'

const rounds = Math.ceil(Number(process.env.AVFS_CRASH_ROUNDS ?? 2) / 2)
const seed = seedOf('AVFS_SEED')
const FILES = 60
const BRIEF_MS = 1300

t.setTimeout(60_000 + testedBackends.length * rounds * 60_000)
t.comment(`AVFS_SEED=${seed}`)
const random = randomFrom(seed)

for (const backend of testedBackends)
  t.test(`${backend.name}: a purge that is killed is finished by the next`, async (t) => {
    const vault = createVault(t, backend)
    for (let round = 1; round <= rounds; round++) {
      const secret = `SWORDFISH${round}x4711`
      const dir = join(vault.dir, `d${round}`)
      vault.mount()
      mkdirSync(dir)
      const save = (what: string): void => {
        for (let at = 0; at < FILES; at++) {
          const noise = random.bytes(random.pick([10, 3000, 20_000]))
          writeFileSync(join(dir, `f${at}`), Buffer.concat([noise, Buffer.from(what)]))
        }
      }
      save(secret)
      await sleep(BRIEF_MS)
      save('nothing of it')
      writeFileSync(join(vault.dir, 'kept'), `kept ${round}`)
      await sleep(BRIEF_MS)
      vault.unmount()
      const command = ['purge', `${vault.name}:/d${round}`, '--yes']
      // What it takes to find what is meant; letting it go takes about as long again.
      const began = performance.now()
      vault.avfs(['purge', `${vault.name}:/d${round}`, '--dry-run'])
      const lookMs = performance.now() - began
      const delayMs = lookMs * (0.7 + random.below(100) / 100)
      const child = spawn(avfsProgram, command, {
        stdio: 'ignore',
        env: { ...process.env, ...vault.env },
      })
      const ended = new Promise((resolve) =>
        child.once('exit', (code, signal) => resolve(signal ?? code)),
      )
      await sleep(delayMs)
      child.kill('SIGKILL')
      const end = await ended
      t.comment(`cut off after ${delayMs} ms, ended with ${end}`)
      vault.check()
      const again = vault.avfs(command)
      // It had come to its end: then nothing is known of a past.
      t.match(again.status, end === 0 ? 13 : /^(0|13)$/, again.stdout + again.stderr)
      t.same(filesWith(vault.home, secret), [], 'no byte is left')
      vault.check()
      vault.mount()
      t.equal(readFileSync(join(vault.dir, 'kept'), 'utf8'), `kept ${round}`)
      t.match(readFileSync(join(dir, 'f1'), 'latin1'), /nothing of it$/)
      vault.unmount()
    }
  })
