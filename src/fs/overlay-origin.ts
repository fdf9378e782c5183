// What overlayfs asks of its layers. A file that was copied up keeps a handle of the lower one in
// trusted.overlay.origin, and is looked up by it (".", as open_by_handle_at(2) is). Since Linux
// 6.16 the entry that the kernel makes of a handle is older than its epoch (d_time 0 in
// fuse_dentry_revalidate), so that overlayfs finds it stale at the next use and gives the file up
// with ESTALE, for good. A handle that leads nowhere is an origin that is unknown, which costs the
// number of the lower file alone: so that is the answer.

import type { FsContext } from './context.ts'
import type { Caller } from './operations.ts'

const ORIGIN = 'trusted.overlay.origin'
const USER_ORIGIN = 'user.overlay.origin'
/**
 * struct ovl_fb (fs/overlayfs/overlayfs.h): 5 bytes, a UUID, and the handle: high and low half of
 * the number, generation.
 */
const HANDLE_AT = 21
const HANDLE_BYTES = 12

/** An extended attribute is read. */
export function noteOrigin(
  fs: FsContext,
  { pid }: Caller,
  name: string,
  value: Uint8Array | undefined,
): void {
  if (name !== ORIGIN && name !== USER_ORIGIN) return
  fs.origin = undefined
  if (value?.length !== HANDLE_AT + HANDLE_BYTES) return
  const view = new DataView(value.buffer, value.byteOffset + HANDLE_AT, HANDLE_BYTES)
  fs.origin = { pid, ino: view.getUint32(0, true) * 2 ** 32 + view.getUint32(4, true) }
}

/** True when a process looks up by its handle what it was just told to be an origin. */
export function isOrigin(fs: FsContext, { pid }: Caller, ino: number): boolean {
  const { origin } = fs
  fs.origin = undefined
  return origin?.pid === pid && origin.ino === ino
}
