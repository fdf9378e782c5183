// Lets another thread reach the commit thread directly: statements on tables that are not
// collections are sent and answered without passing through the main thread, which would copy them
// twice more.

import type { MessagePort } from 'node:worker_threads'
import { type Auxiliary, StoreError } from '../store.ts'
import type { Answer, RunRequest } from './commit-protocol.ts'
import { storeErrorOf } from './errors.ts'

interface Waiting {
  resolve(changes: number): void
  reject(error: StoreError): void
}

/**
 * `Auxiliary.run` over a port from `Auxiliary.connect`, for the thread that owns the port. Rejects
 * when the commit thread has ended.
 */
export function runOver(port: MessagePort): Auxiliary['run'] {
  const waiting = new Map<number, Waiting>()
  let lastId = 0
  let isOver = false
  const gone = (): StoreError => new StoreError('io', 'the thread that writes the vault has ended')
  port.on('message', ({ id, failure, changes }: Answer) => {
    const its = waiting.get(id)
    waiting.delete(id)
    if (waiting.size === 0) port.unref()
    if (failure === undefined) its?.resolve(changes ?? 0)
    else its?.reject(storeErrorOf(failure))
  })
  port.on('close', () => {
    isOver = true
    for (const its of waiting.values()) its.reject(gone())
    waiting.clear()
  })
  // It keeps its thread alive only while an answer is due.
  port.unref()
  return (statements, { durable = false } = {}) => {
    if (isOver) return Promise.reject(gone())
    const request: RunRequest = { id: ++lastId, kind: 'run', statements, durable }
    port.postMessage(request)
    port.ref()
    return new Promise((resolve, reject) => waiting.set(request.id, { resolve, reject }))
  }
}
