// kill -9 of the daemon under a SQLite database in the vault: every transaction that SQLite
// reported as committed must exist.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { mountedVault, until } from '../support/mount.ts'
import { randomFrom, seedOf } from '../support/random.ts'

const rounds = Math.ceil(Number(process.env.AVFS_CRASH_ROUNDS ?? 5) / 5)
const seed = seedOf('AVFS_SEED')

t.setTimeout(60_000 + rounds * 30_000)
t.comment(`AVFS_SEED=${seed}`)

const random = randomFrom(seed)
const vault = mountedVault(t)
const path = join(vault.dir, 'data.db')

for (let round = 1; round <= rounds; round++) {
  await t.test(`round ${round}: a database keeps every commit when the daemon is killed`, (t) =>
    crashOnce(t, round),
  )
}

async function crashOnce(t: Test, round: number): Promise<void> {
  const journalPath = join(vault.root, `journal${round}`)
  const committed = (): number => {
    const lines = existsSync(journalPath) ? readFileSync(journalPath, 'utf8').split('\n') : []
    return Number(lines.at(-2) ?? 0)
  }
  const writer = spawn(
    process.execPath,
    [join(import.meta.dirname, 'database-writer.ts'), path, journalPath],
    { stdio: 'ignore' },
  )
  // It dies of an error, or of SIGBUS in its shared memory: both are right.
  const exit = new Promise((resolve) => writer.on('exit', resolve))
  await until(() => committed() > 0, 'the first row is committed')
  await sleep(random.below(1500))
  t.equal(writer.exitCode, null, 'the writer is at work')
  await vault.kill()
  await exit
  const promised = committed()
  vault.mount('--allow-other')
  const database = new Database(path)
  t.equal(database.pragma('integrity_check', { simple: true }), 'ok')
  const count = Number(database.prepare('select count(*) from t').pluck().get())
  database.close()
  t.ok(count >= promised && count <= promised + 1, `${count} rows, ${promised} were promised`)
  vault.check()
}
