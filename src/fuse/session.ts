// The loop between the kernel and the operations: reads requests until there are none, lets the rest of the process live at
// least every SLICE_MS, and waits a little for the next request before it goes to sleep, because to be woken costs more than
// to answer. Everything runs on the main thread.

import { EAGAIN, EINTR, EIO, ENODEV, ENOENT, errnoName } from '../base/errno.ts'
import { log } from '../base/log.ts'
import type { KernelNotices, Operations } from '../fs/operations.ts'
import type { Channel } from './channel.ts'
import { createDispatcher } from './dispatch.ts'
import { type Negotiated, REQUEST_BUFFER_BYTES } from './init.ts'
import { createMetrics, type SessionMetrics } from './metrics.ts'
import { createNotices } from './notify.ts'
import { requestOver } from './request.ts'

/** How long requests may keep timers, commits and the control socket waiting. */
const SLICE_MS = 1.5
/** Waiting for the next request this long beats being woken for it (about 50 us on an idle virtual machine). */
const POLL_US = 50
/** After so many waits in vain, no more are made until requests come close together again. */
const POLL_MISSES_MAX = 4
/** A request that comes so soon after the last answer would have been caught by a wait; waking up is in it. */
const POLL_WORTH_US = 150
const ECONNABORTED = 103

export interface SessionOptions {
  readonly channel: Channel
  readonly operations: Operations
  /** Takes a line for each request and its reply, with the kernel's names. */
  readonly trace?: (line: string) => void
  /** Microseconds to wait for the next request before sleeping; 0 turns waiting off. */
  readonly pollUs?: number
  /** INIT was answered: the mount works from here on. */
  readonly onInit?: (negotiated: Negotiated) => void
  /** The mount is gone: unmounted, or aborted. Called once, and not after stop(). */
  readonly onDestroy?: () => void
}

export interface Session {
  readonly notices: KernelNotices
  readonly metrics: SessionMetrics
  /**
   * Reads no more requests, waits for the replies under way and closes the channel. To be called after the unmount:
   * a mount whose session has stopped is dead.
   */
  stop(): Promise<void>
}

/** Starts answering the kernel's requests; returns before the first. */
export function startSession(options: SessionOptions): Session {
  const { channel, operations, trace, pollUs = POLL_US } = options
  const metrics = createMetrics()
  const request = requestOver(new ArrayBuffer(REQUEST_BUFFER_BYTES))
  const onInit = options.onInit ?? (() => {})
  const { dispatch, idle } = createDispatcher({ channel, operations, metrics, trace, onInit })
  let running = true
  let misses = 0
  let sleptAt = 0

  function pump(): void {
    const began = performance.now()
    if ((began - sleptAt) * 1000 < POLL_WORTH_US) misses = 0
    while (running) {
      const received = channel.receive(request.buffer, misses < POLL_MISSES_MAX ? pollUs : 0)
      if (received === -EAGAIN) break
      if (received < 0) {
        if (!survives(received)) end()
        continue
      }
      dispatch(request, received)
      misses = 0
      if (performance.now() - began > SLICE_MS) {
        setImmediate(pump)
        return
      }
    }
    misses++
    sleptAt = performance.now()
  }

  function end(): void {
    running = false
    channel.close()
    options.onDestroy?.()
  }

  channel.start(pump)
  return {
    notices: createNotices(channel),
    metrics,
    async stop() {
      running = false
      await idle()
      channel.close()
    },
  }
}

// ENOENT: the request was taken back. EIO: it was larger than the buffer, and the kernel has refused it.
function survives(result: number): boolean {
  if (result === -EINTR || result === -ENOENT) return true
  if (result === -EIO) {
    log('error', 'a request did not fit the buffer')
    return true
  }
  if (result !== -ENODEV && result !== -ECONNABORTED) {
    log('error', `reading from the kernel failed: ${errnoName(-result)}`)
  }
  return false
}
