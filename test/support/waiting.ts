// Operations as a session runs them: again from their start after each read that must wait.

import { retryUntilLoaded } from '../../src/store/retry.ts'

/** The same methods, each of which returns a promise. */
export type Waiting<T> = {
  readonly [K in keyof T]: T[K] extends (...given: infer A) => infer R
    ? (...given: A) => Promise<Awaited<R>>
    : T[K]
}

let done = 0

/** How many operations were run by `waiting` since the process began. */
export function operationsDone(): number {
  return done
}

/**
 * An object whose methods wait for what they read. What does not wait has run when its promise is
 * returned.
 */
export function waiting<T extends object>(target: T): Waiting<T> {
  return new Proxy(target, {
    get(its, name) {
      const value: unknown = Reflect.get(its, name)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) =>
        retryUntilLoaded(() => {
          const result: unknown = value.apply(its, given)
          done++
          return result
        })
    },
  }) as unknown as Waiting<T>
}
