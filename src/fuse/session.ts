// The loop between the kernel and the operations: reads requests until there are none, lets the
// rest of the process live at least every SLICE_MS, and waits a little for the next request before
// it goes to sleep, because to be woken costs more than to answer. Everything runs on the main
// thread.

import { EAGAIN, EINTR, EIO, ENODEV, ENOENT, errnoName } from '../base/errno.ts'
import { log } from '../base/log.ts'
import type { KernelNotices, Operations } from '../fs/operations.ts'
import type { Channel } from './channel.ts'
import { Dispatcher } from './dispatch.ts'
import { type Negotiated, REQUEST_BUFFER_BYTES } from './init.ts'
import { createMetrics, type SessionMetrics } from './metrics.ts'
import { createNotices } from './notify.ts'
import { createPatience } from './patience.ts'
import { requestOver } from './request.ts'

/** How long requests may keep timers, commits and the control socket waiting. */
const SLICE_MS = 1.5
/**
 * Waiting for the next request this long beats being woken for it (about 50 us on an idle virtual
 * machine).
 */
const POLL_US = 50
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
   * Reads no more requests, waits for the replies under way and closes the channel. To be called
   * after the unmount: a mount whose session has stopped is dead.
   */
  stop(): Promise<void>
}

/** Starts answering the kernel's requests; returns before the first. */
export function startSession(options: SessionOptions): Session {
  const { channel, operations, trace, pollUs = POLL_US } = options
  const metrics = createMetrics()
  const request = requestOver(new ArrayBuffer(REQUEST_BUFFER_BYTES))
  const onInit = options.onInit ?? (() => {})
  const patience = createPatience(pollUs)
  // Whoever got a delayed reply is likely to ask again at once, as after any other.
  const onDelayedReply = () => void setImmediate(pump, true)
  const dispatcher = new Dispatcher({
    channel,
    operations,
    metrics,
    trace,
    onInit,
    onDelayedReply,
  })
  let running = true

  function nextWaitUs(): number {
    // Delayed replies come by way of the event loop, which waiting here would hold up.
    return metrics.waiting === 0 ? patience.waitUs() : 0
  }

  /**
   * Answers requests until there are none. `expectant`: there has just been one, so that the next
   * is worth a wait.
   */
  function pump(expectant: boolean): void {
    const began = performance.now()
    let waitUs = expectant ? nextWaitUs() : 0
    while (running) {
      const received = channel.receive(request.buffer, waitUs)
      if (received === -EAGAIN) break
      if (received < 0) {
        if (!survives(received)) end()
        continue
      }
      if (waitUs > 0) patience.rewarded()
      const now = performance.now()
      dispatcher.dispatch(request, received, now)
      if (now - began > SLICE_MS) {
        setImmediate(pump, true)
        return
      }
      waitUs = nextWaitUs()
    }
    if (waitUs > 0) patience.disappointed()
  }

  function end(): void {
    running = false
    channel.close()
    options.onDestroy?.()
  }

  channel.start(() => pump(false))
  return {
    notices: createNotices(channel),
    metrics,
    async stop() {
      running = false
      await dispatcher.idle()
      channel.close()
    },
  }
}

// ENOENT: the request was taken back. EIO: it was larger than the buffer, and the kernel has
// refused it.
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
