// Changes by the command line and by other views show at once in a view that was read before.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mountedVault } from '../support/mount.ts'
import { run } from '../support/program.ts'

t.setTimeout(300_000)

t.test(
  'a snapshot that the command line replaces is another one at once, in every directory',
  (t) => {
    const { dir, name, avfs } = mountedVault(t)
    const must = (...args: string[]): void => {
      const { status, stderr } = avfs(args)
      t.equal(status, 0, `${args.join(' ')} ${stderr}`)
    }
    mkdirSync(join(dir, 'd'))
    writeFileSync(join(dir, 'd/f'), 'one')
    must('snapshot', 'create', 's', name)
    const views = ['.avfs/snapshots/s/d/f', 'd/.avfs/snapshots/s/f'].map((path) => join(dir, path))
    for (const view of views) t.equal(readFileSync(view, 'utf8'), 'one')
    writeFileSync(join(dir, 'd/f'), 'two')
    must('snapshot', 'delete', 's', name)
    t.same(readdirSync(join(dir, '.avfs/snapshots')), [])
    must('snapshot', 'create', 's', name)
    for (const view of views) t.equal(readFileSync(view, 'utf8'), 'two')
    must('snapshot', 'rename', 's', 'r', name)
    for (const view of views) t.throws(() => statSync(view), { code: 'ENOENT' })
    run('rmdir', [join(dir, 'd/.avfs/snapshots/r')])
    t.same(readdirSync(join(dir, '.avfs/snapshots')), [])
    t.throws(() => statSync(join(dir, '.avfs/snapshots/r')), { code: 'ENOENT' })
    t.end()
  },
)

t.test('a label that the command line gives or takes is in the view at once', (t) => {
  const { dir, avfs } = mountedVault(t)
  const file = join(dir, 'f')
  const tags = join(dir, '.avfs/tags')
  writeFileSync(file, 'one')
  t.same(readdirSync(tags), [])
  t.equal(avfs(['tag', 'add', file, 'red']).status, 0)
  t.same(readdirSync(join(tags, 'red')), ['f'])
  t.equal(avfs(['tag', 'rm', file, 'red']).status, 0)
  t.same(readdirSync(join(tags, 'red')), [])
  t.end()
})

t.test('permissions of a view follow those of its directory', (t) => {
  const { dir } = mountedVault(t)
  const views = ['.avfs', '.avfs/deleted', '.avfs/at'].map((path) => join(dir, path))
  const modes = (): string[] => views.map((view) => (statSync(view).mode & 0o777).toString(8))
  run('chmod', ['755', dir])
  t.same(modes(), ['755', '755', '755'])
  run('chmod', ['700', dir])
  t.same(modes(), ['700', '700', '700'])
  t.end()
})
