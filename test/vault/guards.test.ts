// What guarded a directory when: computed from its states, even where some of them are gone or
// nobody can have seen them.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { guardNow, guardsAt, guardsEver } from '../../src/fs/guards.ts'
import { inodePast } from '../../src/store/collections.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { noChange } from '../support/no-change.ts'
import { openMemory, root, save } from './view-bed.ts'

setLog('error')

t.test(
  'a directory has one span for each change of who may come, and its neighbours where one is gone',
  async (t) => {
    const vault = await openMemory(t, (store) => store)
    const fs = createFileSystem(vault, { readOnly: false })
    const { core } = vault
    const later = async (): Promise<number> => {
      await vault.sync()
      const { last } = core.moments
      core.moments.pretend(last + 2e6)
      core.moments.next()
      return last
    }
    const { ino } = fs.mkdir(root, ROOT_INO, 'd', 0o750, 0)
    const moments: number[] = []
    for (const mode of [0o755, 0o700, 0o711]) {
      fs.setattr(root, ino, { ...noChange, mode })
      for (const name of ['a', 'b', 'c']) {
        save(fs, ino, name, `${mode}`)
        moments.push(await later())
      }
    }
    const modesAt = (moment: number): string[] =>
      guardsAt(core, ino, moment).map((its) => (its.mode & 0o777).toString(8))
    t.same(moments.map(modesAt), [
      ...Array(3).fill(['755']),
      ...Array(3).fill(['700']),
      ...Array(3).fill(['711']),
    ])
    t.equal(guardsEver(core, ino).length, 3, 'not one for each of its states')
    const range = { gte: [ino], lt: [ino + 1], limit: 1000 }
    for (const row of core.overlay.scan(inodePast, range))
      if ((row.mode & 0o777) === 0o700) core.overlay.delete(inodePast, [ino, row.since])
    t.same(modesAt(moments[4] ?? 0), ['755', '711'], 'who needs a right needs it of both')
    t.same(modesAt(0), ['755'])
    for (const name of ['a', 'b', 'c']) fs.unlink(root, ino, name)
    fs.rmdir(root, ROOT_INO, 'd')
    t.equal((guardNow(core, ino)?.mode ?? 0) & 0o777, 0o711, 'it counts as it was last')
  },
)

t.test(
  'guards that lasted for less than a second stay on record where names were behind them',
  async (t) => {
    const vault = await openMemory(t, (store) => store)
    const fs = createFileSystem(vault, { readOnly: false })
    const { core } = vault
    const chmod = (ino: number, mode: number): void =>
      void fs.setattr(root, ino, { ...noChange, mode })
    const [empty, full] = ['empty', 'full'].map(
      (name) => fs.mkdir(root, ROOT_INO, name, 0o700, 0).ino,
    )
    save(fs, full as number, 'f', 'text')
    const then = core.moments.last
    for (const ino of [empty, full]) chmod(ino as number, 0o755)
    t.equal(guardsEver(core, empty as number).length, 1)
    t.same(
      guardsAt(core, full as number, then).map(({ mode }) => mode & 0o777),
      [0o700],
    )
  },
)
