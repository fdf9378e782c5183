// Mount options, and what df and findmnt show.

import { accessSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createVault, mountedVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'
import { syscalls } from '../support/syscalls.ts'

t.setTimeout(300_000)

function mountOptions(dir: string): string[] {
  return run('findmnt', ['-n', '-o', 'OPTIONS', dir]).split(',')
}

t.test('df and findmnt show the name of the vault and the type fuse.avfs', (t) => {
  const vault = mountedVault(t)
  t.same(run('findmnt', ['-n', '-o', 'SOURCE,FSTYPE', vault.dir]).split(/ +/), [
    vault.name,
    'fuse.avfs',
  ])
  const [source, type, size, used, available, , target] = (
    run('df', ['-T', '-B1', vault.dir]).split('\n')[1] ?? ''
  ).split(/ +/)
  t.same([source, type, target], [vault.name, 'fuse.avfs', vault.dir])
  t.ok(Number(size) > 0 && Number(used) >= 0 && Number(available) > 0)
  t.end()
})

t.test('setuid and devices are off, unless root asks for them', (t) => {
  const vault = createVault(t)
  vault.mount()
  let options = mountOptions(vault.dir)
  t.ok(options.includes('nosuid') && options.includes('nodev'), options.join())
  vault.unmount()
  vault.mount('-o', 'suid,dev')
  options = mountOptions(vault.dir)
  t.notOk(options.includes('nosuid') || options.includes('nodev'), options.join())
  t.end()
})

t.test('other users are kept out, unless they are let in', (t) => {
  const vault = createVault(t)
  vault.mount()
  t.same(syscalls(vault.root, 'as 2000 2000', `stat ${vault.dir} ino`), ['0', 'EACCES'])
  vault.unmount()
  vault.mount('--allow-other')
  t.match(syscalls(vault.root, 'as 2000 2000', `stat ${vault.dir} ino`)[1], /^\d+$/)
  t.end()
})

t.test('a read-only mount refuses every change and shows everything', (t) => {
  const vault = mountedVault(t)
  writeFileSync(join(vault.dir, 'f'), 'kept')
  vault.unmount()
  for (const options of [['--read-only'], ['-o', 'ro']]) {
    vault.mount(...options)
    t.ok(mountOptions(vault.dir).includes('ro'))
    t.equal(readFileSync(join(vault.dir, 'f'), 'utf8'), 'kept')
    t.same(
      syscalls(
        vault.dir,
        'open f O_RDWR',
        'open g O_CREAT,O_WRONLY',
        'unlink f',
        'chmod f 600',
        'mkdir d',
        'setxattr f user.a b',
        'utimens f 1.1 2.2',
        'rename f g',
        'link f g',
        'stat f size',
      ),
      [...Array.from({ length: 9 }, () => 'EROFS'), '4'],
    )
    vault.unmount()
  }
  t.end()
})

t.test('the generic options of mount(8) are accepted', (t) => {
  const vault = createVault(t)
  vault.mount(
    '-o',
    'defaults,rw,noexec,nofail,_netdev,relatime,noauto,user,x-systemd.automount,x-gvfs-hide',
  )
  const program = join(vault.dir, 'program')
  writeFileSync(program, '#!/bin/sh\nexit 0\n')
  chmodSync(program, 0o755)
  t.ok(mountOptions(vault.dir).includes('noexec'))
  t.same(syscalls(vault.dir, 'exec program'), ['EACCES'])
  accessSync(program)
  t.end()
})

t.test('mount(8) finds avfs by its type, as fstab does', (t) => {
  needProgram('mount.fuse3')
  const vault = createVault(t)
  const bin = join(vault.root, 'bin')
  run('mkdir', [bin])
  writeFileSync(
    join(bin, 'avfs'),
    `#!/bin/sh\nexec ${join(import.meta.dirname, '../../scripts/avfs')} mount "$@"\n`,
  )
  chmodSync(join(bin, 'avfs'), 0o755)
  const { status, stderr } = attempt(
    'mount.fuse3',
    [`${join(bin, 'avfs')}#${vault.file}`, vault.dir, '-o', 'rw,nofail'],
    { env: { ...vault.env, HOME: vault.root } },
  )
  t.equal(status, 0, stderr + vault.log())
  t.equal(vault.isMounted(), true)
  t.ok(existsSync(vault.dir))
  t.end()
})

t.test("--trace logs each request and its reply as a line, with the kernel's names", (t) => {
  const vault = createVault(t)
  vault.mount('--trace')
  writeFileSync(join(vault.dir, 'traced-name'), 'x')
  syscalls(vault.dir, 'getxattr traced-name user.none')
  vault.unmount()
  const lines = vault.log().split('\n')
  const create = lines.filter((line) => /\bCREATE\b/.test(line) && line.includes('traced-name'))
  t.equal(create.length, 1, create.join('\n'))
  for (const operation of ['INIT', 'LOOKUP', 'WRITE', 'FLUSH']) {
    t.ok(
      lines.some((line) => new RegExp(`\\b${operation}\\b`).test(line)),
      operation,
    )
  }
  t.ok(
    lines.some((line) => /\bGETXATTR\b.*ENODATA/.test(line)),
    'a refusal has its errno',
  )
  t.end()
})
