// What a user may set for a vault: a table of keys, each with its check. The values lie in the setting collection under
// their own names, as they were typed; a key without a row has its default. Knows nothing of what the values do.

import { setting } from '../store/collections.ts'
import type { Core } from './core.ts'
import { GlobError, globRule } from './glob.ts'

/** A key that does not exist, or a value that does not fit it; the message is for people. */
export class ConfigurationError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ConfigurationError'
  }
}

interface Setting {
  /** What holds without a row; '' where that is 'no rule'. */
  readonly fallback: string
  readonly describe: string
  /** Throws ConfigurationError. */
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

const MIB = 1024 * 1024

/** Every key, in the order in which they are shown. */
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
} as const satisfies Readonly<Record<string, Setting>>

export type SettingName = keyof typeof settings

/** True for a key of `settings`. */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name)
}

/** Every key with the value that holds. */
export function configuration(core: Pick<Core, 'overlay'>): Record<string, string> {
  return Object.fromEntries(
    (Object.keys(settings) as SettingName[]).map((key) => [key, configured(core, key)]),
  )
}

/** The value that holds, as typed; '' for a rule that is not set. */
export function configured(core: Pick<Core, 'overlay'>, key: SettingName): string {
  return core.overlay.get(setting, [key])?.value ?? settings[key].fallback
}

/** An interval that is set, in milliseconds. */
export function configuredMs(core: Pick<Core, 'overlay'>, key: 'seal' | 'commit'): number {
  return durationMs(configured(core, key)) ?? (durationMs(settings[key].fallback) as number)
}

/** The size of the largest file whose text is searched. */
export function configuredBytes(core: Pick<Core, 'overlay'>): number {
  const key = 'search.max-text'
  return sizeBytes(configured(core, key)) ?? (sizeBytes(settings[key].fallback) as number)
}

/**
 * Changes settings; an empty value takes one back to its default. All or none. Throws ConfigurationError. What is kept in
 * memory of them is refreshed by the caller.
 */
export function configure(core: Core, changes: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(changes)) {
    if (!isSettingName(key))
      throw new ConfigurationError(
        `no setting is named ${key}: ${Object.keys(settings).join(', ')}`,
      )
    if (value !== '') settings[key].check(key, value)
  }
  for (const [name, value] of Object.entries(changes))
    if (value === '') core.overlay.delete(setting, [name])
    else core.overlay.put(setting, { name, value })
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

const FACTORS: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: MIB }

/** '65536', '512KiB', '8MiB' in bytes; undefined for anything else. */
function sizeBytes(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})(|KiB|MiB)$/.exec(text) ?? []
  return digits === undefined || unit === undefined
    ? undefined
    : Number(digits) * (FACTORS[unit] as number)
}

/** The globs of a comma list. */
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
