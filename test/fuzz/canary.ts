// Every way in which a process can fail under an input, each done on purpose: the runner has to
// report all of them.

import type { FuzzInput } from './input.ts'

/** The seed at which it happens. */
const AT = 3
const ROUND_BYTES = 8 * 1024 * 1024

const kinds: Readonly<Record<string, () => Promise<void> | void>> = {
  throws: () => {
    throw new Error('thrown on purpose')
  },
  rejects: () => void Promise.reject(new Error('nobody hears of this')),
  later: () => void setImmediate(() => kinds.throws?.()),
  ends: () => process.exit(0),
  dies: () => process.abort(),
  hangs: () => {
    for (;;);
  },
  waits: () => new Promise(() => setInterval(() => undefined, 1000)),
  swells: () => {
    const all: Buffer[] = []
    for (;;) all.push(Buffer.alloc(ROUND_BYTES, 1))
  },
}

export const canaries: Readonly<Record<string, FuzzInput>> = Object.fromEntries(
  Object.entries(kinds).map(([name, happens]) => [
    `canary-${name}`,
    {
      canary: /./,
      seeds: 1,
      open: async () => ({
        run: async (seed) => (seed === AT ? happens() : undefined),
        close: async () => undefined,
      }),
    } satisfies FuzzInput,
  ]),
)
