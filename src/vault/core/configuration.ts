// The settings that a user may change, as a table of keys with their checks. Values lie in the
// setting collection under their own names, as they were typed; a key without a row has its
// default. Knows nothing of what the values do.

import { accountId, accountName } from '../../base/accounts.ts'
import { GlobError, globRule } from '../../base/glob.ts'
import { KIB, MIB } from '../../base/limits.ts'
import { setting } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from './core.ts'

/** An unknown key, or a value that does not fit it; the message is for people. */
export class ConfigurationError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ConfigurationError'
  }
}

interface Setting {
  /** The value without a row; '' where that means 'no rule'. */
  readonly fallback: string
  readonly describe: string
  /** Throws ConfigurationError for a value that does not fit. */
  check(key: string, value: string): void
}

const count = (describe: string): Setting => ({
  fallback: '',
  describe,
  check(key, value) {
    if (!/^[1-9]\d{0,6}$/.test(value))
      throw new ConfigurationError(`${key}=${value}: give a whole number from 1 to 9999999`)
  },
})

const amount = (describe: string): Setting => ({
  fallback: '',
  describe,
  check(key, value) {
    if (amountOf(value) === undefined)
      throw new ConfigurationError(`${key}=${value}: give a whole number, such as 100000`)
  },
})

const limit = (describe: string): Setting => ({
  fallback: '',
  describe,
  check(key, value) {
    if (sizeBytes(value) === undefined)
      throw new ConfigurationError(`${key}=${value}: give a size, such as 500M or 10G`)
  },
})

const size = (fallback: string, describe: string): Setting => ({
  fallback,
  describe,
  check(key, value) {
    const bytes = sizeBytes(value)
    if (bytes === undefined || bytes < 1024 || bytes > 64 * MIB)
      throw new ConfigurationError(`${key}=${value}: give a size from 1KiB to 64MiB, such as 8MiB`)
  },
})

const choice = (fallback: 'on' | 'off', describe: string): Setting => ({
  fallback,
  describe,
  check(key, value) {
    if (value !== 'on' && value !== 'off')
      throw new ConfigurationError(`${key}=${value}: say on or off`)
  },
})

const interval = (fallback: string, describe: string): Setting => ({
  fallback,
  describe,
  check(key, value) {
    const ms = durationMs(value)
    if (ms === undefined || ms < 10 || ms > 86_400_000)
      throw new ConfigurationError(
        `${key}=${value}: give a time from 10ms to 24h, such as 500ms, 5s`,
      )
  },
})

const GIB = MIB * 1024
const TIB = GIB * 1024

/** Every key, in display order. */
export const settings = {
  'keep.versions': count('newest versions of each file that prune keeps'),
  'keep.days': count('days of which prune keeps everything'),
  'keep.hourly': count('full hours at whose start prune keeps the state'),
  'keep.daily': count('days at whose start prune keeps the state'),
  'keep.weekly': count('weeks at whose start (Monday) prune keeps the state'),
  'keep.monthly': count('months at whose start prune keeps the state'),
  'keep.deleted': count(
    'days after its deletion for which keep.versions covers a file; else for good',
  ),
  history: choice('on', 'whether what is changed or deleted stays readable'),
  'history.exclude': {
    fallback: '',
    describe:
      'paths without history, a comma list of globs; with a leading slash from the root, else anywhere',
    check(key, value) {
      for (const glob of globsOf(value)) {
        if (glob.replaceAll('*', '').replaceAll('/', '') === '')
          throw new ConfigurationError(`${key}: '${glob}' is everything; for that say history=off`)
        assertGlob(key, glob)
      }
    },
  },
  'history.passing': choice(
    'on',
    'whether a file that was closed with content and deleted within a second is kept',
  ),
  seal: interval('60s', 'how often a file that is held open and written becomes a version'),
  commit: interval(
    '1s',
    'the longest time until a change is on disk; mount -o commit_ms= goes first',
  ),
  search: choice('on', 'whether names and texts are kept in an index, for avfs search'),
  'search.max-text': size('8MiB', 'larger files are found by their names alone'),
  quota: limit('bytes that all files together may have'),
  'quota.files': amount('files, directories and links that there may be'),
  'quota.history': choice('off', 'whether quota is also what the vault may take on the disk'),
} as const satisfies Readonly<Record<string, Setting>>

export type SettingName = keyof typeof settings

/** Prefixes of keys that end in a user, by name or number. Their rows always have the number. */
const userSettings = {
  'quota.user.': limit('bytes that the files of a user may have'),
  'quota.user-files.': amount('files, directories and links that a user may own'),
} as const satisfies Readonly<Record<string, Setting>>

type UserSetting = keyof typeof userSettings

/**
 * Every key with its effective value. Keys that end in a user are listed where they are set, with
 * the user's name if this machine knows it.
 */
export function configuration(core: Pick<Core, 'overlay'>): Record<string, string> {
  const found = (Object.keys(settings) as SettingName[]).map((key) => [key, configured(core, key)])
  for (const family of Object.keys(userSettings) as UserSetting[])
    for (const [uid, value] of configuredUsers(core, family))
      found.push([`${family}${nameOfUser(uid)}`, value])
  return Object.fromEntries(found)
}

/** The users for whom a key is set, with the values as typed. */
export function configuredUsers(
  core: Pick<Core, 'overlay'>,
  family: UserSetting,
): Map<number, string> {
  const range = { gte: [family], lt: [`${family}:`], limit: ALL }
  const rows = core.overlay.scan(setting, range)
  return new Map(rows.map(({ name, value }) => [Number(name.slice(family.length)), value]))
}

/** The effective value, as typed; '' for a rule that is not set. */
export function configured(core: Pick<Core, 'overlay'>, key: SettingName): string {
  return core.overlay.get(setting, [key])?.value ?? settings[key].fallback
}

/** The effective value of an interval, in milliseconds. */
export function configuredMs(core: Pick<Core, 'overlay'>, key: 'seal' | 'commit'): number {
  return durationMs(configured(core, key)) ?? (durationMs(settings[key].fallback) as number)
}

/** The size in bytes of the largest file whose text is indexed. */
export function configuredBytes(core: Pick<Core, 'overlay'>): number {
  const key = 'search.max-text'
  return sizeBytes(configured(core, key)) ?? (sizeBytes(settings[key].fallback) as number)
}

/**
 * Changes settings, all or none; an empty value resets one to its default. The caller refreshes
 * what is kept of them in memory. Throws ConfigurationError.
 */
export function configure(core: Core, changes: Readonly<Record<string, string>>): void {
  const rows = Object.entries(changes).map(([key, value]) => {
    const { name, check } = settingOf(key)
    if (value !== '') check(key, value)
    return { name, value }
  })
  for (const { name, value } of rows)
    if (value === '') core.overlay.delete(setting, [name])
    else core.overlay.put(setting, { name, value })
}

/** The check for a key, and the name of its row. Throws ConfigurationError. */
function settingOf(key: string): { name: string; check: Setting['check'] } {
  if (Object.hasOwn(settings, key)) return { name: key, check: settings[key as SettingName].check }
  for (const [family, { check }] of Object.entries(userSettings)) {
    if (!key.startsWith(family)) continue
    const who = key.slice(family.length)
    const uid = accountId('/etc/passwd', Buffer.from(who).toString('latin1'))
    if (uid === undefined)
      throw new ConfigurationError(`${key}: no user is named '${who}' here; a uid does as well`)
    return { name: `${family}${uid}`, check }
  }
  const known = [...Object.keys(settings), ...Object.keys(userSettings).map((its) => `${its}NAME`)]
  throw new ConfigurationError(`no setting is named ${key}: ${known.join(', ')}`)
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
}

/** '500ms', '90s', '10m', '12h', '30d', '2w', '1y' in milliseconds; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d|w|y)$/.exec(text) ?? []
  return digits === undefined || unit === undefined
    ? undefined
    : Number(digits) * (UNITS_MS[unit] as number)
}

const FACTORS: Readonly<Record<string, number>> = { '': 1, K: KIB, M: MIB, G: GIB, T: TIB }

/** '65536', '512KiB', '8M', '10G' in bytes; undefined for anything else. */
export function sizeBytes(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})(?:([KMGT])(?:iB)?)?$/.exec(text) ?? []
  const bytes = Number(digits) * (FACTORS[unit] as number)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** A whole number; undefined for anything else. */
export function amountOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** The globs of a comma-separated list. */
export function globsOf(list: string): string[] {
  return list
    .split(',')
    .map((glob) => glob.trim())
    .filter((glob) => glob !== '')
}

function assertGlob(key: string, glob: string): void {
  try {
    globRule([glob])
  } catch (error) {
    if (error instanceof GlobError) throw new ConfigurationError(`${key}: ${error.message}`)
    throw error
  }
}

function nameOfUser(uid: number): string {
  return Buffer.from(accountName('/etc/passwd', uid) ?? `${uid}`, 'latin1').toString()
}
