// The options of mount(8) and of avfs.

import t from 'tap'
import { UsageError } from '../../src/cli/errors.ts'
import { mountSettings } from '../../src/cli/mount-options.ts'

t.test('without options nothing is special', async (t) => {
  t.match(mountSettings({}, true), {
    readOnly: false,
    allowOther: false,
    avfsdir: 'hidden',
    trace: false,
    flags: ['nodev', 'nosuid'],
  })
})

t.test('generic options of mount(8) are accepted', async (t) => {
  const list =
    'defaults,rw,nofail,_netdev,noauto,relatime,user,x-systemd.automount,x-gvfs-show,comment=a,lazytime,default_permissions,'
  t.same(mountSettings({ option: [list] }, false).flags, ['nodev', 'noexec', 'nosuid', 'relatime'])
})

t.test('suid and dev count only when root says so', async (t) => {
  t.same(mountSettings({ option: ['suid,dev'] }, true).flags, [])
  t.same(mountSettings({ option: ['suid,dev'] }, false).flags, ['nodev', 'nosuid'])
})

t.test('the last of two options wins, and long options win over -o', async (t) => {
  t.equal(mountSettings({ option: ['ro,rw'] }, true).readOnly, false)
  t.equal(mountSettings({ option: ['rw', 'ro'] }, true).readOnly, true)
  t.same(mountSettings({ option: ['user,exec,noatime'] }, true).flags, [
    'noatime',
    'nodev',
    'nosuid',
  ])
  t.equal(mountSettings({ option: ['cache_mb=64'], cacheMb: 128 }, true).cacheMb, 128)
})

t.test('options of avfs are read', async (t) => {
  const option = ['cache_mb=64,commit_ms=250,avfsdir=visible,pollus=0,trace,allow_other']
  t.match(mountSettings({ option }, true), {
    cacheMb: 64,
    commitMs: 250,
    avfsdir: 'visible',
    pollUs: 0,
    trace: true,
    allowOther: true,
  })
})

t.test('what neither mount(8) nor avfs knows is wrong usage', async (t) => {
  for (const option of [
    'nonsense',
    'remount',
    'toString',
    'cache_mb',
    'cache_mb=',
    'cache_mb=x',
    'cache_mb=1',
    'commit_ms=-5',
    'avfsdir=x',
    'pollus=5000',
  ]) {
    t.throws(() => mountSettings({ option: [option] }, true), UsageError, option)
  }
  t.throws(() => mountSettings({ cacheMb: 1.5 }, true), UsageError)
})
