// The vault's clock beside a host's clock that is set: what is counted, and which times mean which
// moments.

import t, { type Test } from 'tap'
import { setHostClock } from '../../src/base/clock.ts'
import type { ClockRow } from '../../src/store/collections.ts'
import { ClockSteps } from '../../src/vault/core/clock-steps.ts'
import { Moments } from '../../src/vault/core/moments.ts'
import { momentMeant, nameOfMoment, parseWhen } from '../../src/vault/core/when.ts'

const START = 1_795_000_000_000_000
const SECOND = 1_000_000
const HOUR = 3600 * SECOND

/** A host's clock that only a test moves, in microseconds. */
const host = {
  wall: START,
  steady: 5 * HOUR,
  slept: 0,
  wallMicros: () => host.wall,
  steadyMicros: () => host.steady,
  sleptMicros: () => host.slept,
  pass(micros: number) {
    host.wall += micros
    host.steady += micros
  },
}
setHostClock(host)

/** But for the microsecond by which one moment follows another. */
function near(t: Test, found: number, wanted: number): void {
  t.ok(Math.abs(found - wanted) <= 2, `${found} is ${wanted}`)
}

t.test('moments go on at the rate of time whatever the clock is set to', async (t) => {
  const moments = new Moments(host.wall)
  for (const by of [-3 * HOUR, 50 * HOUR, -HOUR, 400 * 24 * HOUR, -365 * 24 * HOUR]) {
    const before = moments.next()
    host.wall += by
    host.pass(5 * SECOND)
    near(t, moments.next() - before, 5 * SECOND)
    near(t, moments.wallOf(moments.last), host.wall)
  }
  t.equal(moments.takeSteps().length, 5)
  t.equal(moments.takeSteps().length, 0, 'each is given once')
})

t.test('what the host slept is time, and no step', async (t) => {
  const moments = new Moments(host.wall)
  const before = moments.next()
  host.wall += HOUR
  host.slept += HOUR
  near(t, moments.next() - before, HOUR)
  t.same(moments.takeSteps(), [])
})

t.test(
  'a clock that goes back by less than is a step holds moments up, and turns none around',
  async (t) => {
    const moments = new Moments(host.wall)
    const before = moments.next()
    host.wall -= 200_000
    t.equal(moments.next(), before + 1)
    host.pass(SECOND)
    near(t, moments.next(), before + SECOND - 200_000)
    t.same(moments.takeSteps(), [])
  },
)

t.test('a clock that stands makes a step each ten seconds', async (t) => {
  const moments = new Moments(host.wall)
  const before = moments.next()
  let steps = 0
  for (let quarters = 0; quarters < 400; quarters++) {
    host.steady += 260_000
    moments.next()
    steps += moments.takeSteps().length
  }
  near(t, moments.last - before, 400 * 260_000)
  t.ok(steps >= 8 && steps <= 12, `${steps} steps in 104 seconds`)
  t.ok(Math.abs(moments.wallOf(moments.last) - host.wall) < 11 * SECOND)
})

t.test('a vault whose last moment is ahead of the clock goes on from there', async (t) => {
  const last = host.wall + 7 * HOUR
  const moments = new Moments(last)
  const first = moments.next()
  t.ok(first > last && first < last + SECOND)
  host.pass(3 * SECOND)
  near(t, moments.next() - first, 3 * SECOND)
  near(t, moments.wallOf(moments.last), host.wall)
  const again = new Moments(moments.last, moments.takeSteps())
  host.pass(HOUR)
  near(t, again.next() - moments.last, HOUR)
  t.same(again.takeSteps(), [])
})

t.test('a vault that never met a step takes its moments for times', async (t) => {
  const moments = new Moments(host.wall)
  t.equal(moments.wallOf(1e15), 1e15)
  t.equal(moments.momentAt(1e15), 1e15)
  t.equal(moments.wallOf(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
})

// The clock showed 0 to 100, then 50 to 80, then 500 to 520: at moments 0 to 100, 100 to 130, 130
// to 150.
const steps = new ClockSteps([
  { moment: 130, offset: 370 },
  { moment: 100, offset: -50 },
])

t.test('a time that the clock showed twice means the later moment', async (t) => {
  t.equal(steps.momentAt(60, 150), 110)
  t.equal(steps.momentAt(60, 150, 2), 60)
  t.equal(steps.momentAt(60, 150, 3), undefined)
  t.equal(steps.momentAt(90, 150), 90)
  t.equal(steps.nthOf(60, 150), 2)
  t.equal(steps.nthOf(110, 150), 1)
})

t.test('a time that the clock never showed means the last moment before it', async (t) => {
  t.equal(steps.momentAt(200, 150), 99, 'the clock had shown 99, then less')
  t.equal(steps.momentAt(499, 150), 99)
  t.equal(steps.momentAt(500, 150), 130)
})

t.test(
  'what changed since a moment has no earlier time than the earliest that was shown since',
  async (t) => {
    t.equal(steps.earliestFrom(40), 40)
    t.equal(steps.earliestFrom(90), 50)
    t.equal(steps.earliestFrom(120), 70)
    t.equal(steps.earliestFrom(140), 510)
  },
)

t.test('a time that has not come is in the future', async (t) => {
  t.equal(steps.momentAt(520, 150), 150)
  t.equal(steps.momentAt(600, 150), 230)
})

t.test('the name of a moment leads back to it, and an age counts moments', async (t) => {
  const moments = new Moments(host.wall)
  const before = moments.next()
  host.pass(HOUR)
  host.wall -= HOUR
  moments.next()
  host.pass(2 * HOUR)
  const name = nameOfMoment(moments, before)
  t.match(name, /Z~2$/)
  const meant = (text: string) => {
    const when = parseWhen(text, host.wall)
    return when && momentMeant(moments, when)
  }
  t.equal(meant(name), before)
  t.not(meant(name.slice(0, -2)), before)
  t.equal(meant(name.replace('~2', '~3')), undefined)
  near(t, meant('3h') ?? 0, before)
})

t.test(
  'a clock that is in 1970 at every other opening never brings moments to their end',
  async (t) => {
    let [last, rows] = [host.wall, [] as readonly ClockRow[]]
    const years56 = 56 * 365 * 24 * HOUR
    for (let opening = 0; opening < 20; opening++) {
      host.wall += opening % 2 === 0 ? -years56 : years56
      const moments = new Moments(last, rows)
      host.pass(HOUR)
      const next = moments.next()
      t.ok(Number.isSafeInteger(next) && next >= last + HOUR, `${next} is after ${last}`)
      near(t, moments.wallOf(next), host.wall)
      rows = [...rows, ...moments.takeSteps()]
      last = next
    }
  },
)
