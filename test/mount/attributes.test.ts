// Changes of attributes in every order with other operations on a file: random steps in a plain
// folder and in a mounted vault, and stat(2) returns the same for both.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mountedVault, temporaryFolder } from '../support/mount.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { syscalls } from '../support/syscalls.ts'

t.setTimeout(300_000)

const ROUNDS = Number(process.env.AVFS_ROUNDS ?? 4)
const STEPS = 60
/** More than a tick of the kernel's coarse clock. */
const TICK = 'sleep 12'
/** A directory's size is another one on each file system. */
const STAT = 'mode,uid,gid,nlink,atime,mtime,ctime,size'
const STAT_DIRECTORY = 'mode,uid,gid,nlink,atime,mtime,ctime'
const TIMES = STAT.split(',').indexOf('atime')
/** Times from here on are the clock's, and differ between two runs. */
const CLOCK_SECONDS = 1_500_000_000
const CLOCK_SECONDS_MAX = 4_000_000_000

// Two names of one file, another file and a directory.
const names = ['f', 'g', 'h', 'd']
const allStats = names.map((name) => `stat ${name} ${name === 'd' ? STAT_DIRECTORY : STAT}`)
const begin = [
  'mkdir d',
  'open f O_CREAT,O_RDWR',
  'fill 0 0 5000 a',
  'open h O_CREAT,O_RDWR',
  'fill 1 0 20 b',
  'link f g',
  TICK,
]

/** A walk of random steps, and a stat of all names after some. */
function stepsOf(random: Random): string[] {
  const steps = [...begin]
  const open = [0, 1]
  let opened = 2
  // ext4 does nothing where an attribute is set to what it is.
  let fresh = 16
  const time = (): string =>
    random.pick([`${random.below(10 ** 9)}.5`, '-1000.25', `${5 * 10 ** 9}.0`, 'now', 'omit'])
  const name = (): string => random.pick(names)
  const file = (): string => random.pick(['f', 'g', 'h'])
  const descriptor = (): number => random.pick(open)
  const read = (it: number): string[] => [
    // What lies beyond the end is no reading for FUSE.
    `ftruncate ${it} 9000`,
    `forget ${it}`,
    // More than a page, which the kernel may also have read for itself.
    `same ${it} 0 9000`,
  ]
  const map = (it: number): string[] => [
    `ftruncate ${it} 9000`,
    `forget ${it}`,
    TICK,
    `mmap ${it} 1000`,
    TICK,
    random.pick(['poke 0 x', 'peek 10 1']),
    random.pick(['msync', TICK]),
    'munmap',
  ]
  const openOne = (): string => {
    open.push(opened++)
    return `open ${file()} ${random.pick(['O_RDWR', 'O_RDWR', 'O_RDWR,O_NOATIME'])}`
  }
  const closeOne = (): string => {
    const [it] = open.splice(random.below(open.length), 1)
    return `close ${it}`
  }
  const kinds: readonly (() => string | readonly string[])[] = [
    () => `utimens ${name()} ${time()} ${time()}`,
    () => `futimens ${descriptor()} ${time()} ${time()}`,
    () => `futimens ${descriptor()} ${time()} omit`,
    () => `fchmod ${descriptor()} ${random.pick(['600', '644', '755'])}`,
    () => `chmod ${name()} ${random.pick(['600', '644', '755'])}`,
    () => `fchown ${descriptor()} ${random.below(5)} ${random.below(5)}`,
    () => `fsetxattr ${descriptor()} user.a ${fresh++}`,
    () => `setxattr ${name()} user.a ${fresh++}`,
    () => `removexattr ${name()} user.a`,
    () => `setxattr ${name()} system.posix_acl_access ${aclOf(fresh++)}`,
    () => `fill ${descriptor()} ${random.pick([0, 4096, 100])} ${random.pick([10, 4096])} w`,
    () => `ftruncate ${descriptor()} ${random.pick([0, 100, 4096, 9000])}`,
    // By name to the size that it has: FUSE leaves mtime as it was.
    () => `truncate ${file()} ${1 + random.below(9000)}`,
    () => `fsync ${descriptor()}`,
    // What is read from the kernel's cache is seen at the next close only, but where a program had
    // set atime.
    () => read(descriptor()),
    () => {
      const it = descriptor()
      return [`ftruncate ${it} 9000`, `futimens ${it} 5.0 omit`, TICK, `same ${it} 0 9000`]
    },
    () => map(descriptor()),
    () => (open.length < 8 ? [openOne()] : []),
    () => (open.length < 8 ? [openOne()] : []),
    () => (open.length > 1 ? [closeOne()] : []),
    () => (open.length > 1 ? [closeOne()] : []),
    () => (random.below(4) === 0 ? 'drop_caches 3' : []),
  ]
  for (let step = 0; step < STEPS; step++) {
    steps.push(TICK, ...[random.pick(kinds)()].flat())
    if (random.below(2) === 0) steps.push(...allStats)
  }
  for (const it of open) steps.push(TICK, `close ${it}`)
  return [...steps, ...allStats]
}

/** An access list, in the kernel's form, with permissions for a user of that number (16 to 255). */
function aclOf(uid: number): string {
  const owners = '%01%00%06%00%FF%FF%FF%FF'
  const user = `%02%00%07%00%${uid.toString(16)}%00%00%00`
  const others = '%04%00%04%00%FF%FF%FF%FF%10%00%07%00%FF%FF%FF%FF%20%00%04%00%FF%FF%FF%FF'
  return `%02%00%00%00${owners}${user}${others}`
}

/**
 * What each step printed, a clock's time as whether it is the same as when this file was last
 * looked at.
 */
function comparable(steps: readonly string[], lines: readonly string[]): string[] {
  const before = new Map<string, string>()
  return steps.map((step, index) => {
    const line = lines[index] ?? ''
    if (!step.startsWith('stat ')) return `${step} -> ${line}`
    const name = step.split(' ')[1] ?? ''
    const fields = line.split(' ').map((field, at) => {
      const seconds = Number(field)
      const isTime = at >= TIMES && at < TIMES + 3
      if (!isTime || seconds < CLOCK_SECONDS || seconds > CLOCK_SECONDS_MAX) return field
      // Which of two closes was that of a reader, FUSE does not say.
      if (at === TIMES) return 'of the clock'
      const key = `${name} ${at}`
      const isSame = before.get(key) === field
      before.set(key, field)
      return isSame ? 'as before' : 'moved'
    })
    return `${step} -> ${fields.join(' ')}`
  })
}

const plain = temporaryFolder(t)
const vault = mountedVault(t)
const kept: { readonly dir: string; readonly stats: string[] }[] = []

for (let round = 0; round < ROUNDS; round++) {
  const seed = round === 0 ? seedOf('AVFS_SEED') : Math.floor(Math.random() * 2 ** 31)
  t.test(
    `attributes are those of a plain folder after random steps (AVFS_SEED=${seed})`,
    async (t) => {
      const steps = stepsOf(randomFrom(seed))
      const [wanted, found] = [plain, vault.dir].map((root) => {
        const dir = join(root, `r${round}`)
        mkdirSync(dir)
        return comparable(steps, syscalls(dir, ...steps))
      })
      const at = steps.findIndex((_, index) => wanted?.[index] !== found?.[index])
      const around = (lines: readonly string[] = []): string[] =>
        lines.slice(0, at + 1).filter((line) => !line.startsWith('sleep'))
      t.same(around(found), around(wanted))
      const dir = join(vault.dir, `r${round}`)
      kept.push({ dir, stats: syscalls(dir, ...allStats) })
    },
  )
}

t.test('attributes are the same after the vault was unmounted and mounted again', async (t) => {
  vault.unmount()
  vault.mount('--allow-other', '-o', 'suid,dev')
  for (const { dir, stats } of kept) t.same(syscalls(dir, ...allStats), stats)
})
