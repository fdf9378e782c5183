// A method's body where caller and method are one process: pieces go from hand to hand, none is
// copied or kept.

import type { Feed } from './protocol.ts'

/**
 * What `feed` sends. It is called when the first piece is asked for; a piece is taken when the next
 * one is.
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
  // Heard at the end.
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
