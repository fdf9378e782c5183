// How near the process is to the memory that it may have, in V8's heap and outside of it, so that it can let go of caches and refuse
// what would take more. At the limit of its heap V8 ends the process, and outside of it the kernel does: neither asks.

import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { log } from './log.ts'

/**
 * Parts of what the process may have. V8 collects garbage no later than halfway between what is in use and its limit, so that from
 * three quarters on half of the limit is in use indeed, and from seven eighths on three quarters.
 */
export const HIGH = 3 / 4
export const CRITICAL = 7 / 8
/** The limit that V8 tells is that of old and new objects together; what lasts is old, for which there is so much less (start-daemon.ts). */
const YOUNG_BYTES = 3 * 8 * 1024 ** 2
/** A look takes 30 us. */
const FRESH_MS = 50
/** Whatever was let go of must be collected before it counts. */
const SHED_EVERY_MS = 1000

/** Bytes in use, and how many there may be. */
export interface MemoryUse {
  readonly heap: number
  readonly heapMax: number
  /** Of the process without what is mapped from files. */
  readonly all: number
  readonly allMax: number
}

export interface Memory {
  /** True while only that should be done which takes no more memory. Lets go of caches before. */
  isCritical(): boolean
  /** Calls `shed` when memory is short, once a second at most. */
  onShort(shed: () => void): void
}

/** Looks at memory when it is asked, and not more often than is useful. */
export function watchMemory(look = lookAtMemory, nowMs = () => performance.now()): Memory {
  const sheds: (() => void)[] = []
  let part = 0
  let lookedMs = Number.NEGATIVE_INFINITY
  let shedMs = Number.NEGATIVE_INFINITY
  let wasShort = false
  let wasCritical = false
  function check(now: number): void {
    lookedMs = now
    const use = look()
    part = Math.max(use.heap / use.heapMax, use.all / use.allMax)
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
    if (now < shedMs + SHED_EVERY_MS) return
    shedMs = now
    for (const shed of sheds) shed()
  }
  return {
    isCritical() {
      const now = nowMs()
      if (now >= lookedMs + FRESH_MS) check(now)
      return part >= CRITICAL
    },
    onShort: (shed) => void sheds.push(shed),
  }
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
  const { used_heap_size: heap, heap_size_limit: limit } = getHeapStatistics()
  const heapMax = Math.max(limit - YOUNG_BYTES, limit / 2)
  const [, kib = '0'] =
    /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return { heap, heapMax, all: Number(kib) * 1024, allMax: limitBytes() }
}
