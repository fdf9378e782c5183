// The options of mount(8) and fuse(8) as users and /etc/fstab write them: what they mean for
// mount(2), what fusermount3 takes, and which only concern programs that read fstab. Pure; mount.ts
// acts on the result.

/** Flags of mount(2). */
const MS_RDONLY = 1
const MS_NOSUID = 2
const MS_NODEV = 4
const MS_NOEXEC = 8
const MS_SYNCHRONOUS = 16
const MS_DIRSYNC = 128
const MS_NOATIME = 1024
const MS_NODIRATIME = 2048
const MS_RELATIME = 1 << 21
const MS_STRICTATIME = 1 << 24
const MS_LAZYTIME = 1 << 25

/** Each option sets some flags and clears others. `helper`: fusermount3 knows it too. */
const flagOptions: Record<string, { set: number; clear: number; helper: boolean }> = {
  rw: { set: 0, clear: MS_RDONLY, helper: true },
  ro: { set: MS_RDONLY, clear: 0, helper: true },
  suid: { set: 0, clear: MS_NOSUID, helper: false },
  nosuid: { set: MS_NOSUID, clear: 0, helper: true },
  dev: { set: 0, clear: MS_NODEV, helper: false },
  nodev: { set: MS_NODEV, clear: 0, helper: true },
  exec: { set: 0, clear: MS_NOEXEC, helper: true },
  noexec: { set: MS_NOEXEC, clear: 0, helper: true },
  async: { set: 0, clear: MS_SYNCHRONOUS, helper: true },
  sync: { set: MS_SYNCHRONOUS, clear: 0, helper: true },
  dirsync: { set: MS_DIRSYNC, clear: 0, helper: true },
  atime: { set: 0, clear: MS_NOATIME, helper: true },
  noatime: { set: MS_NOATIME, clear: MS_RELATIME | MS_STRICTATIME, helper: true },
  diratime: { set: 0, clear: MS_NODIRATIME, helper: false },
  nodiratime: { set: MS_NODIRATIME, clear: 0, helper: false },
  relatime: { set: MS_RELATIME, clear: MS_NOATIME, helper: false },
  norelatime: { set: 0, clear: MS_RELATIME, helper: false },
  strictatime: { set: MS_STRICTATIME, clear: MS_NOATIME | MS_RELATIME, helper: false },
  nostrictatime: { set: 0, clear: MS_STRICTATIME, helper: false },
  lazytime: { set: MS_LAZYTIME, clear: 0, helper: false },
  nolazytime: { set: 0, clear: MS_LAZYTIME, helper: false },
  defaults: { set: 0, clear: 0, helper: false },
}

/** For mount(8), systemd and libfuse; and default_permissions, which every mount of ours has. */
const ignored =
  /^((no)?(auto|user|users|owner|group|fail)|_netdev|default_permissions|nonempty|auto_unmount|(x-|X-|comment=|subtype=|fsname=|max_read=|uhelper=).*)$/

interface MountFlags {
  /** For mount(2). */
  readonly flags: number
  /** Options for fusermount3, in place of the flags. */
  readonly helperOptions: readonly string[]
  readonly allowOther: boolean
  /** Options that nobody here knows. */
  readonly unknown: readonly string[]
}

/**
 * Reads options in order, the later ones winning; the beginning is nosuid,nodev, which only `suid`
 * and `dev` take back (fusermount3 never does). allow_other is both an option and the argument.
 */
export function readMountOptions(options: readonly string[]): MountFlags {
  let flags = MS_NOSUID | MS_NODEV
  let allowOther = false
  const helperOptions: string[] = ['nosuid', 'nodev']
  const unknown: string[] = []
  for (const option of options.flatMap((list) => list.split(',')).filter(Boolean)) {
    const known = Object.hasOwn(flagOptions, option) ? flagOptions[option] : undefined
    if (known !== undefined) {
      flags = (flags & ~known.clear) | known.set
      if (known.helper) helperOptions.push(option)
    } else if (option === 'allow_other') {
      allowOther = true
    } else if (!ignored.test(option)) {
      unknown.push(option)
    }
  }
  return { flags, helperOptions, allowOther, unknown }
}
