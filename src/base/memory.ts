// How close the process is to its memory limits, in V8's heap and outside of it, so that it can
// drop caches and refuse what would take more. At the limit of its heap V8 aborts the process;
// outside of it the kernel kills it. Neither gives a warning.

import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { log } from './log.ts'

/**
 * Shares of a limit. V8 collects garbage no later than halfway between live data and its limit. So
 * three quarters in use mean that at least half of the limit is live, seven eighths that three
 * quarters are.
 */
const HIGH = 3 / 4
const CRITICAL = 7 / 8
/**
 * V8's limit covers both old and young objects; what stays is old, and has that much less
 * (start-daemon.ts).
 */
const YOUNG_BYTES = 3 * 8 * 1024 ** 2
/** How long a measurement is used again: taking one costs 30 us. */
const FRESH_MS = 50
/** Interval between sheds: what was dropped must be collected before it shows. */
const SHED_EVERY_MS = 1000
/**
 * The share of time that forced collections may take: one takes 20 ms with a heap of 32 MiB,
 * seconds with one of 4 GiB.
 */
const COLLECT_PART = 1 / 10

/**
 * Bytes in use and their limits. Of the heap, old objects only: most young ones are garbage
 * already.
 */
export interface MemoryUse {
  readonly heap: number
  readonly heapMax: number
  /** Of the process, without mapped files. */
  readonly all: number
  readonly allMax: number
}

export interface Memory {
  /** True while data kept for later should be dropped. Drops caches first. */
  isShort(): boolean
  /** True while only work that takes no more memory should be done. Collects garbage first. */
  isCritical(): boolean
  /** Resolves when `isCritical` will take into account what was dropped before this call. */
  looked(): Promise<void>
  /** Calls `shed` when memory is short, at most once a second. */
  onShort(shed: () => void): void
}

/** Measures memory on request, but no more often than is useful. */
export function watchMemory(
  look = lookAtMemory,
  nowMs = () => performance.now(),
  collect = collectGarbage,
): Memory {
  const sheds: (() => void)[] = []
  let collectMs = Number.NEGATIVE_INFINITY
  let part = 0
  let lookedMs = Number.NEGATIVE_INFINITY
  let shedMs = Number.NEGATIVE_INFINITY
  let wasShort = false
  let wasCritical = false
  function shed(now: number): void {
    shedMs = now
    for (const letGo of sheds) letGo()
  }
  function current(): number {
    const now = nowMs()
    if (now >= lookedMs + FRESH_MS) check(now)
    return part
  }
  function check(now: number): void {
    lookedMs = now
    let use = look()
    if (partOf(use) >= CRITICAL && now >= collectMs) {
      shed(now)
      collect()
      const tookMs = nowMs() - now
      collectMs = now + Math.max(tookMs / COLLECT_PART, FRESH_MS)
      use = look()
    }
    part = partOf(use)
    if (part < HIGH) {
      if (wasShort && part < HIGH / 2 + 1 / 4) {
        log('info', `memory suffices again: ${told(use)}`)
        wasShort = wasCritical = false
      }
      return
    }
    if (!wasShort) log('warn', `memory is short, and caches are let go of: ${told(use)}`)
    wasShort = true
    if (part >= CRITICAL && !wasCritical) {
      wasCritical = true
      log('error', `memory is nearly used up, and what takes more is refused: ${told(use)}`)
    }
    if (now >= shedMs + SHED_EVERY_MS) shed(now)
  }
  return {
    isShort: () => current() >= HIGH,
    isCritical: () => current() >= CRITICAL,
    looked: () => new Promise((go) => setTimeout(go, Math.max(collectMs - nowMs(), FRESH_MS))),
    onShort: (shed) => void sheds.push(shed),
  }
}

function partOf({ heap, heapMax, all, allMax }: MemoryUse): number {
  return Math.max(heap / heapMax, all / allMax)
}

let gc: (() => void) | undefined

/** V8 collects only when it needs memory; this measurement cannot wait for that. */
function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as () => void
  }
  gc()
}

function told({ heap, heapMax, all, allMax }: MemoryUse): string {
  const mib = (bytes: number): number => Math.round(bytes / 1024 ** 2)
  return `${mib(heap)} of ${mib(heapMax)} MiB in the heap, ${mib(all)} of ${mib(allMax)} MiB in all`
}

/** The memory of the control group or, without one, of the machine. */
function limitBytes(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}

export function lookAtMemory(): MemoryUse {
  const { heap_size_limit: limit } = getHeapStatistics()
  const heapMax = Math.max(limit - YOUNG_BYTES, limit / 2)
  let heap = 0
  for (const { space_name: name, space_used_size: used } of getHeapSpaceStatistics())
    if (!name.startsWith('new_')) heap += used
  const [, kib = '0'] =
    /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return { heap, heapMax, all: Number(kib) * 1024, allMax: limitBytes() }
}
