// The options of `avfs mount`: those of mount(8), which come from fstab and are all accepted, and
// those of avfs. Turns them into MountSettings and refuses what neither knows. Touches nothing.

import { totalmem } from 'node:os'
import { MIB } from '../base/limits.ts'
import type { MountSettings } from '../control/wire/protocol.ts'
import { UsageError } from './errors.ts'

/** What was typed; -o is a comma list and may be given several times. Undefined: not given. */
interface MountArguments {
  readonly readOnly?: boolean | undefined
  readonly allowOther?: boolean | undefined
  readonly cacheMb?: number | undefined
  readonly commitMs?: number | undefined
  readonly trace?: boolean | undefined
  readonly option?: readonly string[] | undefined
}

type Draft = { -readonly [K in keyof MountSettings]: MountSettings[K] }
type Apply = (draft: Draft, flags: Set<string>, value: string | undefined, name: string) => void

/** A sixteenth of the host's memory: enough to matter, little enough not to be noticed. */
export const CACHE_MB_DEFAULT = Math.max(64, Math.min(512, Math.floor(totalmem() / MIB / 16)))
const CACHE_MB_MIN = 16
const CACHE_MB_MAX = 1024 * 1024
const COMMIT_MS_MIN = 10
/** The promise is that a crash loses seconds, not minutes. */
const COMMIT_MS_MAX = 60_000
const POLL_US_MAX = 1000

const nothing: Apply = () => undefined
const setFlag: Apply = (_, flags, __, name) => void flags.add(name)
/** 'exec' takes 'noexec' back. */
const clearFlag: Apply = (_, flags, __, name) => void flags.delete(`no${name}`)

/**
 * mount(8), FILESYSTEM-INDEPENDENT MOUNT OPTIONS: what the kernel is told, and what only mount(8)
 * itself cares about.
 */
const generic: Readonly<Record<string, Apply>> = {
  ro: (draft) => {
    draft.readOnly = true
  },
  rw: (draft) => {
    draft.readOnly = false
  },
  nosuid: setFlag,
  suid: clearFlag,
  nodev: setFlag,
  dev: clearFlag,
  noexec: setFlag,
  exec: clearFlag,
  noatime: setFlag,
  atime: clearFlag,
  nodiratime: setFlag,
  diratime: clearFlag,
  sync: setFlag,
  async: (_, flags) => void flags.delete('sync'),
  dirsync: setFlag,
  relatime: setFlag,
  strictatime: setFlag,
  // By themselves these also forbid programs, setuid and devices.
  user: (_, flags) => addAll(flags, ['noexec', 'nosuid', 'nodev']),
  users: (_, flags) => addAll(flags, ['noexec', 'nosuid', 'nodev']),
  owner: (_, flags) => addAll(flags, ['nosuid', 'nodev']),
  group: (_, flags) => addAll(flags, ['nosuid', 'nodev']),
}

const accepted: readonly string[] = [
  ...['defaults', 'auto', 'noauto', 'nofail', '_netdev', 'nouser', 'noowner', 'nogroup'],
  ...['norelatime', 'nostrictatime', 'lazytime', 'nolazytime'],
  ...['iversion', 'noiversion', 'mand', 'nomand', 'silent', 'loud', 'symfollow'],
  // avfs always lets the kernel check permissions.
  'default_permissions',
]

const own: Readonly<Record<string, Apply>> = {
  allow_other: (draft) => {
    draft.allowOther = true
  },
  trace: (draft) => {
    draft.trace = true
  },
  cache_mb: (draft, _, value) => {
    draft.cacheMb = numberOf('cache_mb', value, CACHE_MB_MIN, CACHE_MB_MAX)
  },
  commit_ms: (draft, _, value) => {
    draft.commitMs = numberOf('commit_ms', value, COMMIT_MS_MIN, COMMIT_MS_MAX)
  },
  pollus: (draft, _, value) => {
    draft.pollUs = numberOf('pollus', value, 0, POLL_US_MAX)
  },
  avfsdir: (draft, _, value) => {
    if (value !== 'hidden' && value !== 'visible' && value !== 'off') {
      throw new UsageError(`avfsdir is hidden, visible or off, not '${value ?? ''}'`)
    }
    draft.avfsdir = value
  },
}

/**
 * The settings that the arguments ask for; long options win over -o. nosuid and nodev hold unless
 * `isRoot` and -o says suid or dev. Throws UsageError.
 */
export function mountSettings(given: MountArguments, isRoot: boolean): MountSettings {
  const draft: Draft = {
    readOnly: false,
    allowOther: false,
    cacheMb: CACHE_MB_DEFAULT,
    commitMs: undefined,
    avfsdir: 'hidden',
    pollUs: undefined,
    trace: false,
    flags: [],
  }
  const flags = new Set(['nosuid', 'nodev'])
  for (const text of (given.option ?? []).flatMap((list) => list.split(','))) {
    if (text !== '') applyOption(draft, flags, text)
  }
  if (!isRoot) addAll(flags, ['nosuid', 'nodev'])
  if (given.readOnly !== undefined) draft.readOnly = given.readOnly
  if (given.allowOther !== undefined) draft.allowOther = given.allowOther
  if (given.trace !== undefined) draft.trace = given.trace
  if (given.cacheMb !== undefined) {
    draft.cacheMb = numberOf('--cache-mb', String(given.cacheMb), CACHE_MB_MIN, CACHE_MB_MAX)
  }
  if (given.commitMs !== undefined) {
    draft.commitMs = numberOf('--commit-ms', String(given.commitMs), COMMIT_MS_MIN, COMMIT_MS_MAX)
  }
  return { ...draft, flags: [...flags].sort() }
}

function applyOption(draft: Draft, flags: Set<string>, text: string): void {
  const equals = text.indexOf('=')
  const name = equals < 0 ? text : text.slice(0, equals)
  const value = equals < 0 ? undefined : text.slice(equals + 1)
  const apply = Object.hasOwn(own, name) ? own[name] : genericOption(name)
  if (apply === undefined) throw new UsageError(`unknown mount option '${text}'`)
  apply(draft, flags, value, name)
}

function genericOption(name: string): Apply | undefined {
  if (/^(x-|X-|comment$|uhelper$|helper$)/.test(name) || accepted.includes(name)) return nothing
  return Object.hasOwn(generic, name) ? generic[name] : undefined
}

function numberOf(name: string, text: string | undefined, least: number, most: number): number {
  const value = Number(text)
  if (text === undefined || !/^\d+$/.test(text) || value < least || value > most) {
    throw new UsageError(`${name} is a whole number from ${least} to ${most}, not '${text ?? ''}'`)
  }
  return value
}

function addAll(flags: Set<string>, names: readonly string[]): void {
  for (const name of names) flags.add(name)
}
