// Computed files that the kernel keeps: the oldest are dropped before there are too many, one user
// cannot use up the share of others, and what is dropped no longer counts.

import t from 'tap'
import { ENOMEM, FsError } from '../../src/base/errno.ts'
import type { KernelNotices } from '../../src/fs/operations.ts'
import { BYTES_MAX, BYTES_MAX_EACH, HeldContent } from '../../src/fs/virtual/held-content.ts'
import { retryInSlices } from '../../src/store/retry.ts'

const PART = 16
const bytes = BYTES_MAX_EACH / PART

/** A kernel that lets go of what it is told to, or (deaf) of nothing. */
function kernelOf(content: HeldContent, isDeaf: boolean): KernelNotices {
  return {
    entryChanged: async (up) => {
      if (!isDeaf) content.release(up)
    },
    inodeChanged: async () => undefined,
    attributesChanged: () => undefined,
    sent: async () => undefined,
  }
}

/** Holds files `first` to `last` in directories of their own. */
async function holdAll(
  content: HeldContent,
  notices: KernelNotices,
  uid: number,
  first: number,
  last: number,
): Promise<void> {
  for (let number = first; number <= last; number++)
    await retryInSlices(() =>
      content.hold({ number, up: number, name: 'history.json', uid, bytes }, notices),
    )
}

t.test('the kernel is told to let go of the oldest', async (t) => {
  const content = new HeldContent()
  const notices = kernelOf(content, false)
  await holdAll(content, notices, 1000, 1, 20 * PART)
  t.ok(content.bytes <= BYTES_MAX_EACH, `${content.bytes} bytes are held`)
})

t.test('what one user keeps open is bounded, and leaves room for others', async (t) => {
  const content = new HeldContent()
  const deaf = kernelOf(content, true)
  await holdAll(content, deaf, 1000, 1, PART)
  await t.rejects(holdAll(content, deaf, 1000, 90, 90), new FsError(ENOMEM))
  await holdAll(content, deaf, 1001, 101, 101 + PART - 1)
  t.equal(content.bytes, 2 * BYTES_MAX_EACH)
  content.release(1)
  content.release(1)
  await holdAll(content, deaf, 1000, 91, 91)
  t.equal(content.bytes, 2 * BYTES_MAX_EACH, 'what was let go of counts no more')
})

t.test('what all users keep is bounded, too', async (t) => {
  const content = new HeldContent()
  const deaf = kernelOf(content, true)
  const users = BYTES_MAX / BYTES_MAX_EACH
  for (let user = 0; user < users; user++)
    await holdAll(content, deaf, user, user * PART + 1, (user + 1) * PART)
  await t.rejects(holdAll(content, deaf, users, 9000, 9000), new FsError(ENOMEM))
})

t.test('a lookup waits until the kernel has let go of another', async (t) => {
  const content = new HeldContent()
  const deaf = kernelOf(content, true)
  await holdAll(content, deaf, 1000, 1, PART)
  const waiting = holdAll(content, deaf, 1000, 90, 90)
  content.release(3)
  await waiting
  t.equal(content.bytes, BYTES_MAX_EACH)
})
