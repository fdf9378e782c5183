// Loads the native addons of engines, and turns what they throw into StoreErrors. Addons lie beside
// src, in a checkout as in the npm package, and exist only after make has built them.

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { StoreError, type StoreErrorKind } from '../store.ts'

const advices: Readonly<Record<StoreErrorKind, string>> = {
  busy: 'another program holds the vault',
  full: 'the disk that holds the vault is full',
  corrupt: 'the vault is damaged: run avfs vault check --deep',
  locked: 'the vault is open for reading only',
  closed: 'the vault is closed',
  io: 'the vault cannot be read or written',
  format: 'this is not an avfs vault',
  unavailable: 'the engine is not available here',
}

/**
 * Loads native/NAME/build/NAME.node. Throws what require throws: code MODULE_NOT_FOUND if it is not
 * built.
 */
export function requireAddon<A>(name: string): A {
  const path = fileURLToPath(new URL(`../../../native/${name}/build/${name}.node`, import.meta.url))
  return createRequire(import.meta.url)(path) as A
}

/**
 * The addon of an engine. Throws StoreError 'unavailable', which says what to do, if it cannot be
 * loaded.
 */
export function addonOf<A>(name: string): A {
  try {
    return requireAddon<A>(name)
  } catch (cause) {
    const command = `run "make ${name}" in a checkout of avfs`
    throw new StoreError('unavailable', `the engine ${name} is not available here: ${command}`, {
      cause,
    })
  }
}

/**
 * The StoreError for an error of an addon, made of its `kind` and message. Other errors, such as a
 * TypeError (a bug), are returned unchanged.
 */
export function storeErrorOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('kind' in error) || error instanceof StoreError) return error
  const kind = error.kind as StoreErrorKind
  return new StoreError(kind, `${advices[kind]} (${error.message})`, { cause: error })
}

/** Runs a call of an addon, turning what it throws into a StoreError. */
export function told<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw storeErrorOf(error)
  }
}

/** Awaits a call of an addon, turning what it throws or rejects with into a StoreError. */
export async function toldLater<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw storeErrorOf(error)
  }
}

/**
 * `toldLater` for a long call. Node waits for an addon's threads when the process exits; `stop`
 * then ends the call early.
 */
export async function toldMuchLater<T>(call: () => Promise<T>, stop: () => unknown): Promise<T> {
  process.once('exit', stop)
  try {
    return await toldLater(call)
  } finally {
    process.off('exit', stop)
  }
}
