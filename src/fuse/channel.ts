// The way to the kernel and back, as the session sees it: the device (device.ts), or bytes of a
// test.

/** Results below 0 are minus an errno, as in the kernel. */
export interface Channel {
  /**
   * One request into the buffer: its length, or -EAGAIN when none came within `pollUs`
   * microseconds.
   */
  receive(into: ArrayBuffer, pollUs: number): number
  /** One reply: the first `length` bytes of `head`, then the pieces. Nothing of it is kept. */
  reply(head: ArrayBuffer, length: number, pieces: readonly Uint8Array[]): number
  /**
   * A notification, sent from another thread: the kernel may make it wait for a process that waits
   * for a reply.
   */
  notify(bytes: Uint8Array): Promise<number>
  /** Calls back, on the main thread, whenever there is something to receive. */
  start(onReadable: () => void): void
  /**
   * No call comes after this one. Without an unmount before it, the mount is dead then (ENOTCONN).
   */
  close(): void
}
