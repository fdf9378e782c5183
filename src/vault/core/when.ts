// Moments as people write them: dates, times, ages. A vault's Moments map them to its own time,
// which differs from the host's clock; an age counts moments, so it is right even where the clock
// was set.
//
//   2026-11-22                      midnight, local time
//   2026-11-22T10-00-00             local time; also 10:00:00, 10:00, a space or _ for the T, and
//                                   a fraction of a second
//   2026-11-22T10-00-00Z            UTC; also +01:00, -0530
//   10s 10m 2h 3d 4w 1y             an age
//   now, yesterday                  yesterday: a day ago
//   @1795000000                     seconds since 1970, optionally with a fraction
//   @GMT-2026.11.22-10.00.00        as Samba writes it
//   2026-11-22T10-00-00.123456Z~2   where the clock was set back and showed this time more than
//                                   once: the last but one
//
// A time without a fraction means the end of its second: what was saved within that second is
// included, so the time shown by stat(1) or date(1) shows what was saved in it.

import type { WallMicros } from './clock-steps.ts'
import type { Moment } from './moment.ts'
import type { Moments } from './moments.ts'

const SECOND = 1_000_000
const unitSeconds: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86400,
  w: 7 * 86400,
  y: 365 * 86400,
}

const age = /^(\d{1,9})([smhdwy])$/
const epoch = /^@(\d{1,11})(?:\.(\d{1,6})\d*)?$/
const samba = /^@GMT-(\d{4})\.(\d\d)\.(\d\d)-(\d\d)\.(\d\d)\.(\d\d)$/
const date =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T_ ](\d\d)[-:](\d\d)(?:[-:](\d\d)(?:[.,](\d{1,6})\d*)?)?(Z|[+-]\d\d:?\d\d)?)?(?:~([1-9]\d{0,5}))?$/

/**
 * An age in microseconds, or a time of the host's clock: the nth from the latest where the clock
 * showed it more than once.
 */
export type When = { readonly ago: number } | { readonly wall: WallMicros; readonly nth: number }

/**
 * What a text means, in whole microseconds; undefined when it is no time. The result may lie in the
 * future or before the vault's creation.
 */
export function parseWhen(text: string, nowMicros: WallMicros): When | undefined {
  if (text === 'now') return { ago: 0 }
  if (text === 'yesterday') return { ago: 86400 * SECOND }
  const ago = age.exec(text)
  if (ago !== null) {
    const seconds = Number(ago[1]) * (unitSeconds[ago[2] ?? ''] ?? 0)
    return { ago: counted(seconds * SECOND) }
  }
  const seconds = epoch.exec(text)
  if (seconds !== null) return whenOf(Number(seconds[1]), seconds[2], nowMicros)
  const parts = samba.exec(text)
  if (parts !== null) return whenOf(secondsOf(parts, 'Z'), undefined, nowMicros)
  const written = date.exec(text)
  if (written === null) return undefined
  return whenOf(secondsOf(written, written[8]), written[7], nowMicros, written[9])
}

function whenOf(
  seconds: number | undefined,
  fraction: string | undefined,
  nowMicros: WallMicros,
  nth = '1',
): When | undefined {
  const wall = wallOf(seconds, fraction, nowMicros)
  return wall === undefined ? undefined : { wall: counted(wall), nth: Number(nth) }
}

/** Clamps to safe integers: beyond them only "far future" or "far past" matters. */
function counted(micros: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(micros, Number.MAX_SAFE_INTEGER))
}

/** As a time of the host's clock, to compare with file times. */
export function parseMoment(text: string, nowMicros: WallMicros): WallMicros | undefined {
  const when = parseWhen(text, nowMicros)
  return when === undefined || 'wall' in when ? when?.wall : nowMicros - when.ago
}

/**
 * The moment that a `When` means in a vault; later than now for the future. Undefined when the
 * clock never showed the time `nth` times.
 */
export function momentMeant(moments: Moments, when: When): Moment | undefined {
  return 'ago' in when ? moments.now() - when.ago : moments.momentAt(when.wall, when.nth)
}

/** A moment as a file name that `parseWhen` reads back. */
export function nameOfMoment(moments: Moments, moment: Moment): string {
  const nth = moments.steps.nthOf(moment, moments.now())
  return `${formatMoment(moments.wallOf(moment))}${nth === 1 ? '' : `~${nth}`}`
}

function wallOf(
  seconds: number | undefined,
  fraction: string | undefined,
  nowMicros: WallMicros,
): WallMicros | undefined {
  if (seconds === undefined) return undefined
  const start = seconds * SECOND
  if (fraction !== undefined) return start + Number(fraction.padEnd(6, '0'))
  const end = start + SECOND - 1
  // The current second is not over yet. With the clock set back, a later one can be of the past.
  return start <= nowMicros ? Math.min(end, nowMicros) : end
}

/** Seconds since 1970 of year, month ... second (1 to 6 of a match), in a zone or in local time. */
function secondsOf(match: RegExpExecArray, zone: string | undefined): number | undefined {
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((at) =>
    Number(match[at] ?? 0),
  ) as [number, number, number, number, number, number]
  // Date would silently roll over invalid dates such as February 30.
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const calendar = new Date(Date.UTC(year, month - 1, day))
  if (calendar.getUTCMonth() !== month - 1 || calendar.getUTCDate() !== day) return undefined
  // Date.UTC takes years 0 to 99 for 1900 to 1999.
  if (calendar.getUTCFullYear() !== year) return undefined
  if (zone === undefined)
    return new Date(year, month - 1, day, hour, minute, second).getTime() / 1000
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - zoneSeconds(zone)
}

function zoneSeconds(zone: string): number {
  if (zone === 'Z') return 0
  const digits = zone.replace(/\D/g, '')
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2)) * 60
  return zone.startsWith('-') ? -seconds : seconds
}

/** A time as a file name that `parseMoment` reads back exactly: 2026-11-22T10-00-00.123456Z. */
export function formatMoment(wall: WallMicros): string {
  const seconds = Math.floor(wall / SECOND)
  const day = new Date(seconds * 1000).toISOString().slice(0, 19).replaceAll(':', '-')
  return `${day}.${String(wall - seconds * SECOND).padStart(6, '0')}Z`
}

/** A time of the host's clock as local time for people. */
export function timeText(wall: WallMicros): string {
  const at = new Date(wall / 1000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}
