// The main thread's side of the commit thread: posts requests, settles promises as answers arrive,
// and rejects all if the thread dies. Knows messages, not SQL.
//
// Commits posted behind one that fails fail too, so the file always holds a prefix of the commits.

import { extname } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { log } from '../../base/log.ts'
import { type Batch, type SqlStatement, StoreError } from '../store.ts'
import {
  type Answer,
  CHECKPOINT_ID,
  type CommitOptions,
  READY_ID,
  type Request,
  type WorkerOptions,
} from './commit-protocol.ts'
import { storeErrorOf } from './errors.ts'
import { BufferPool, pack } from './pack.ts'

interface Waiting {
  readonly kind: Request['kind'] | 'start'
  resolve(changes: number): void
  reject(error: StoreError): void
}

/**
 * Starts a worker from a file beside this one with the same extension: .ts in the sources, .js when
 * compiled. It does not inherit what the process's command line preloads (a test runner's hooks,
 * say).
 */
export function startWorker(name: string, options: WorkerOptions): Worker {
  const url = new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
  return new Worker(url, {
    workerData: options,
    execArgv: [],
    // Views of a batch, which are gone after it.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  })
}

export class CommitThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #onCommit: () => void
  readonly #buffers = new BufferPool()
  #lastId = READY_ID
  #attempt = 0
  #death: StoreError | undefined

  private constructor(path: string, cacheBytes: number, onCommit: () => void) {
    this.#onCommit = onCommit
    const options: CommitOptions = { path, cacheBytes }
    this.#worker = startWorker('commit-worker', options)
    this.#worker.on('message', (answer: Answer) => this.#settle(answer))
    this.#worker.on('error', (error) => this.#die(error))
    this.#worker.on('exit', () => this.#die())
  }

  /**
   * Starts a thread on an existing vault; `onCommit` is called before each commit is reported.
   * Rejects with StoreError.
   */
  static async start(
    path: string,
    cacheBytes: number,
    onCommit: () => void,
  ): Promise<CommitThread> {
    const thread = new CommitThread(path, cacheBytes, onCommit)
    await thread.#wait(READY_ID, 'start')
    return thread
  }

  /** Copies the batch, and resolves when it is durable. */
  async commit(rows: Batch): Promise<void> {
    const batch = pack(rows, this.#buffers)
    const id = ++this.#lastId
    await this.#post({ id, kind: 'commit', attempt: this.#attempt, batch })
  }

  /** See Auxiliary. Resolves with the number of changed rows. */
  async run(statements: readonly SqlStatement[], durable: boolean): Promise<number> {
    return this.#post({ id: ++this.#lastId, kind: 'run', statements, durable })
  }

  /** See Auxiliary. The port closes when this thread ends. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel()
    if (this.#death === undefined) {
      const request: Request = { id: READY_ID, kind: 'connect', port: port2 }
      this.#worker.postMessage(request, [port2])
    } else port2.close()
    return port1
  }

  /** Returns unused pages to the host; commits proceed in between. */
  async compact(): Promise<void> {
    await this.#post({ id: ++this.#lastId, kind: 'compact' })
  }

  /** Rewrites the whole file; commits wait. */
  async vacuum(): Promise<void> {
    await this.#post({ id: ++this.#lastId, kind: 'vacuum' })
  }

  /**
   * Ends the thread after all that was posted is done. By then, this process must have no other
   * connection open.
   */
  async close(): Promise<void> {
    await this.#post({ id: ++this.#lastId, kind: 'close' })
  }

  /** Ends the thread at once, like a crash. */
  async kill(): Promise<void> {
    await this.#worker.terminate()
  }

  #post(request: Request): Promise<number> {
    if (this.#death !== undefined) return Promise.reject(this.#death)
    this.#worker.postMessage(request)
    return this.#wait(request.id, request.kind)
  }

  #wait(id: number, kind: Waiting['kind']): Promise<number> {
    // The thread keeps the process alive only while it owes an answer.
    if (this.#waiting.size === 0) this.#worker.ref()
    return new Promise((resolve, reject) => this.#waiting.set(id, { kind, resolve, reject }))
  }

  #settle({ id, failure, slot, changes }: Answer): void {
    if (id === CHECKPOINT_ID) {
      log('warn', `the vault's log cannot be brought into its file: ${failure?.message}`)
      return
    }
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if (slot !== undefined) this.#buffers.give(slot)
    if (waiting.kind === 'commit') {
      this.#onCommit()
      if (failure !== undefined) this.#attempt++
    }
    if (failure === undefined) waiting.resolve(changes ?? 0)
    else waiting.reject(storeErrorOf(failure))
  }

  #die(cause?: unknown): void {
    if (this.#death !== undefined) return
    this.#death = new StoreError('io', 'the thread that writes the vault has ended', { cause })
    for (const waiting of this.#waiting.values()) waiting.reject(this.#death)
    this.#waiting.clear()
  }
}
