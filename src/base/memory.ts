// How near the process is to the memory that it may have, in V8's heap and outside of it, so that
// it can let go of caches and refuse what would take more. At the limit of its heap V8 ends the
// process, and outside of it the kernel does: neither asks.

import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { log } from './log.ts'

/**
 * Parts of what the process may have. V8 collects garbage no later than halfway between what is in
 * use and its limit, so that from three quarters on half of the limit is in use indeed, and from
 * seven eighths on three quarters.
 */
const HIGH = 3 / 4
const CRITICAL = 7 / 8
/**
 * The limit that V8 tells is that of old and new objects together; what lasts is old, for which
 * there is so much less (start-daemon.ts).
 */
const YOUNG_BYTES = 3 * 8 * 1024 ** 2
/** A look takes 30 us. */
const FRESH_MS = 50
/** Whatever was let go of must be collected before it counts. */
const SHED_EVERY_MS = 1000
/**
 * Collecting garbage takes a tenth of the time at most: 20 ms of a heap of 32 MiB, seconds of one
 * of 4 GiB.
 */
const COLLECT_PART = 1 / 10

/**
 * Bytes in use, and how many there may be; of the heap those of old objects alone: most of the
 * young are garbage already.
 */
export interface MemoryUse {
  readonly heap: number
  readonly heapMax: number
  /** Of the process without what is mapped from files. */
  readonly all: number
  readonly allMax: number
}

export interface Memory {
  /** True while what is kept in memory for later should be let go of. Lets go of caches before. */
  isShort(): boolean
  /** True while only that should be done which takes no more memory. Collects garbage before. */
  isCritical(): boolean
  /** Resolves when `isCritical` looks at what was let go of before this call. */
  looked(): Promise<void>
  /** Calls `shed` when memory is short, once a second at most. */
  onShort(shed: () => void): void
}

/** Looks at memory when it is asked, and not more often than is useful. */
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

/** V8 collects when it needs memory; what asks how much there is cannot wait for that. */
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

/** What a control group, or the machine, has. */
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
