// How options of mount(8) are translated.

import t from 'tap'
import { readMountOptions } from '../../src/fuse/mount-options.ts'

t.test('without options a mount is nosuid and nodev', async (t) => {
  const { flags, helperOptions, allowOther, unknown } = readMountOptions([])
  t.equal(flags, 2 | 4)
  t.strictSame(helperOptions, ['nosuid', 'nodev'])
  t.notOk(allowOther)
  t.strictSame(unknown, [])
})

t.test('suid and dev lift that for mount(2), never for the helper', async (t) => {
  const { flags, helperOptions } = readMountOptions(['suid,dev'])
  t.equal(flags, 0)
  t.strictSame(helperOptions, ['nosuid', 'nodev'])
})

t.test('the last of contradicting options wins, over all lists', async (t) => {
  t.equal(readMountOptions(['ro,rw', 'noexec', '', 'ro']).flags, 1 | 2 | 4 | 8)
  t.equal(readMountOptions(['noatime,relatime']).flags, 2 | 4 | (1 << 21))
})

t.test('options for fstab and systemd are accepted and mean nothing here', async (t) => {
  const list = 'defaults,nofail,_netdev,noauto,user,x-systemd.automount,X-mount.mkdir,comment=a'
  t.strictSame(readMountOptions([list, 'default_permissions']), readMountOptions([]))
})

t.test('allow_other is told, and what nobody knows is too', async (t) => {
  const { allowOther, unknown } = readMountOptions(['allow_other,__proto__,constructor,quota'])
  t.ok(allowOther)
  t.strictSame(unknown, ['__proto__', 'constructor', 'quota'])
})
