// A method's input if caller and method are in one process: pieces are passed on without copying or
// buffering.

import type { Feed } from './protocol.ts'

/**
 * The pieces that `feed` sends. `feed` is called when the first is requested; a piece counts as
 * taken when the next one is requested.
 */
export async function* bodyOf(feed: Feed): AsyncGenerator<Uint8Array> {
  const offered: { piece: Uint8Array; taken: () => void; refuse: (why: unknown) => void }[] = []
  let wake = (): void => undefined
  let isOver = false
  const send = (piece: Uint8Array): Promise<void> =>
    new Promise((taken, refuse) => {
      if (isOver) return refuse(new Error('nobody takes this any more'))
      offered.push({ piece, taken, refuse })
      wake()
    })
  const fed = feed(send).finally(() => {
    isOver = true
    wake()
  })
  // Its failure is thrown at the end.
  fed.catch(() => undefined)
  try {
    for (;;) {
      const next = offered.shift()
      if (next !== undefined) {
        try {
          yield next.piece
        } finally {
          next.taken()
        }
      } else if (isOver) break
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
    await fed
  } finally {
    isOver = true
    for (const its of offered) its.refuse(new Error('nobody takes this any more'))
  }
}
