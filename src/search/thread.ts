// The main thread's side of the search thread: posts calls, settles promises as answers come, and
// rejects all when the thread dies.

import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type Auxiliary, StoreError } from '../store/store.ts'
import type { Item } from './index-writer.ts'
import {
  type EngineSpec,
  errorOf,
  type FromThread,
  type MethodName,
  READY_ID,
  type ThreadMethods,
  type ThreadOptions,
  type ToThread,
} from './thread-protocol.ts'

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

export class SearchThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #lastId = READY_ID
  #death: StoreError | undefined

  private constructor(engine: EngineSpec, auxiliary: Auxiliary | undefined) {
    const url = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)
    const writer = auxiliary?.connect()
    const options: ThreadOptions = { engine, writer }
    this.#worker = new Worker(url, {
      workerData: options,
      transferList: writer === undefined ? [] : [writer],
      execArgv: [],
      // By default V8 would take 30 MiB more for texts that are all gone after a batch.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    })
    this.#worker.on('message', (message: FromThread) => this.#hear(message))
    this.#worker.on('error', (error) => this.#die(error))
    this.#worker.on('exit', () => this.#die())
  }

  /**
   * Opens the index in a thread of its own; `auxiliary` takes what FTS5 writes. Rejects with
   * StoreError.
   */
  static async start(engine: EngineSpec, auxiliary?: Auxiliary): Promise<SearchThread> {
    const thread = new SearchThread(engine, auxiliary)
    await thread.#wait(READY_ID)
    return thread
  }

  /** Calls a method; the bytes of texts change hands and are gone here. Rejects with StoreError. */
  call<M extends MethodName>(
    method: M,
    ...args: Parameters<ThreadMethods[M]>
  ): ReturnType<ThreadMethods[M]> {
    return this.#call(method, args) as ReturnType<ThreadMethods[M]>
  }

  #call(method: MethodName, args: readonly unknown[]): Promise<unknown> {
    if (this.#death !== undefined) return Promise.reject(this.#death)
    const id = ++this.#lastId
    this.#post({ id, method, args }, memoryOf(method, args))
    return this.#wait(id)
  }

  /** Ends the thread at once, as a crash of it would. */
  async kill(): Promise<void> {
    await this.#worker.terminate()
  }

  #post(message: ToThread, memory: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, memory)
  }

  #wait(id: number): Promise<unknown> {
    // An idle thread does not keep the process alive, one that owes an answer does.
    if (this.#waiting.size === 0) this.#worker.ref()
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #hear(message: FromThread): void {
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if ('failure' in message) waiting?.reject(errorOf(message.failure))
    else waiting?.resolve(message.result)
  }

  #die(cause?: unknown): void {
    if (this.#death !== undefined) return
    this.#death = new StoreError('io', 'the thread that searches has ended', { cause })
    for (const waiting of this.#waiting.values()) waiting.reject(this.#death)
    this.#waiting.clear()
  }
}

/**
 * What is handed over and not copied: the memory of texts to take in, which share it, and of bytes
 * that have it for themselves.
 */
function memoryOf(method: MethodName, args: readonly unknown[]): ArrayBuffer[] {
  const memory = new Set<ArrayBufferLike>()
  if (method === 'take')
    for (const { versions, pieces = [] } of args[0] as readonly Item[])
      for (const { bytes } of [...versions, ...pieces])
        if (bytes !== undefined) memory.add(bytes.buffer)
  if (method === 'fragments') {
    const { buffer, length } = args[1] as Uint8Array
    if (buffer.byteLength === length) memory.add(buffer)
  }
  return [...memory].filter(
    (value): value is ArrayBuffer => value instanceof ArrayBuffer && value.byteLength > 0,
  )
}
