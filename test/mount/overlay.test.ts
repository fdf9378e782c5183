// A mounted vault as the upper layer of overlayfs, as docker, podman and sandboxes of build tools
// use one, beside a tmpfs: the same operations in the merged directory leave the same in both.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { mountedVault, temporaryFolder } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)
needProgram('rsync', 'make', 'cc')

/** Mounts and sees to it that it is unmounted. */
function mounted(t: Test, at: string, ...args: readonly string[]): void {
  run('mount', [...args, at])
  t.teardown(() => attempt('umount', ['-l', at]))
}

/** The merged view of `lower` under an upper layer in `base`. */
function overlayOn(t: Test, base: string, lower: string, root: string): string {
  const merged = join(root, `merged-${base.split('/').pop()}`)
  for (const path of [join(base, 'upper'), join(base, 'work'), merged]) mkdirSync(path)
  const options = `lowerdir=${lower},upperdir=${base}/upper,workdir=${base}/work`
  mounted(t, merged, '-t', 'overlay', 'avfs-test', '-o', options)
  return merged
}

const LOWER = `
  mkdir -p etc/conf.d usr/lib/deep/deeper opt/app gone/with/all
  for i in 1 2 3 4 5 6 7 8; do echo "lower $i" > etc/conf.d/$i; echo "lib $i" > usr/lib/deep/$i; done
  echo 'int main(void) { return 0; }' > opt/app/main.c
  printf 'app: main.o\n\\tcc -o app main.o\n' > opt/app/Makefile
  echo x > gone/with/all/x; ln -s ../etc etc/link; ln etc/conf.d/1 etc/hard; mkfifo etc/fifo
`

/**
 * What a container does to its root: every kind of change to what the lower layer has, and to what
 * is new.
 */
const LIFE = `
  rm etc/conf.d/1; echo new > etc/conf.d/2; echo more >> etc/conf.d/3; mv etc/conf.d/4 etc/moved
  chmod 600 etc/conf.d/5; chown 7:8 etc/conf.d/6; touch -d @1000000000 etc/conf.d/7; ln etc/conf.d/8 etc/eight
  rm -r gone; mkdir gone; echo other > gone/file
  mv usr/lib/deep usr/lib/renamed 2>/dev/null || { cp -a usr/lib/deep usr/lib/renamed && rm -r usr/lib/deep; }
  rm etc/link; ln -s elsewhere etc/link; rm etc/fifo; mkdir -p etc/fifo/now/a/directory
  echo swap > etc/tmp && mv etc/tmp etc/hard
  make -s -C opt/app; (cd opt/app && ./app)
  rm usr/lib/renamed/1 usr/lib/renamed/2; mv usr/lib/renamed/3 usr/lib/renamed/4
  mkdir -p new/tree && tar -C etc -cf - . | tar -C new/tree -xf - && rm -rf new/tree/conf.d
  setfattr -n trusted.note -v kept etc/conf.d/7
`

/** rsync's list of what differs; times of directories are those of when they were changed. */
function differences(one: string, other: string): string {
  const flags = ['-aHXni', '--omit-dir-times', '--checksum', '--delete', '--no-inc-recursive']
  // The object files and the program are those of another second.
  const made = ['--exclude=/opt/app/app', '--exclude=/opt/app/main.o', '--no-times']
  return run('rsync', [...flags, ...made, `${one}/`, `${other}/`])
}

t.test('a file that was copied up is found after the kernel has forgotten its lower one', (t) => {
  const vault = mountedVault(t)
  const lower = join(vault.dir, 'lower')
  mkdirSync(lower)
  writeFileSync(join(lower, 'file'), 'lower')
  const merged = overlayOn(t, vault.dir, lower, temporaryFolder(t))
  appendFileSync(join(merged, 'file'), ' and more')
  run('sh', ['-c', 'echo 3 >/proc/sys/vm/drop_caches'])
  for (let turn = 0; turn < 3; turn++)
    t.equal(readFileSync(join(merged, 'file'), 'utf8'), 'lower and more')
  run('umount', [merged])
  t.end()
})

t.test('a vault is the upper layer of an overlay, as tmpfs is', (t) => {
  const vault = mountedVault(t)
  const root = temporaryFolder(t)
  const plain = join(root, 'plain')
  mkdirSync(plain)
  mounted(t, plain, '-t', 'tmpfs', 'avfs-test')
  const lower = join(plain, 'lower')
  mkdirSync(lower)
  run('sh', ['-e', '-c', LOWER], { cwd: lower })
  const merged = [join(plain, 'p'), join(vault.dir, 'v')].map((base) => {
    mkdirSync(base)
    return overlayOn(t, base, lower, root)
  }) as [string, string]
  for (const dir of merged) {
    run('sh', ['-e', '-c', LIFE], { cwd: dir })
    t.equal(attempt('./app', [], { cwd: join(dir, 'opt/app') }).status, 0)
  }
  t.equal(differences(...merged), '')
  const whiteouts = (base: string): string =>
    run('find', ['.', '-type', 'c', '-printf', '%P %m %n %s\n'], { cwd: base })
      .split('\n')
      .sort()
      .join('\n')
  t.equal(whiteouts(join(vault.dir, 'v/upper')), whiteouts(join(plain, 'p/upper')))
  t.match(whiteouts(join(vault.dir, 'v/upper')), /etc\/conf\.d\/1 0 /)

  // What the next container finds of it.
  for (const dir of merged) run('umount', [dir])
  vault.unmount()
  vault.check()
  vault.mount()
  for (const [index, base] of [join(plain, 'p'), join(vault.dir, 'v')].entries()) {
    const options = `lowerdir=${lower},upperdir=${base}/upper,workdir=${base}/work`
    mounted(t, merged[index] as string, '-t', 'overlay', 'avfs-test', '-o', options)
  }
  t.equal(differences(...merged), '')
  t.equal(readFileSync(join(merged[1], 'etc/conf.d/3'), 'utf8'), 'lower 3\nmore\n')
  for (const dir of merged) run('umount', [dir])
  t.end()
})
