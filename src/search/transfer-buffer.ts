// Memory for the texts that are sent together. One piece for many small ones: to hand a piece of
// memory to another thread takes as long as to read a small file.

export class TransferBuffer {
  #memory: ArrayBuffer
  #used = 0

  constructor(capacity: number) {
    this.#memory = new ArrayBuffer(capacity)
  }

  /** Memory of that size, which goes with all that is sent with it. */
  take(size: number): Uint8Array<ArrayBuffer> {
    if (this.#used + size > this.#memory.byteLength) return new Uint8Array(size)
    const bytes = new Uint8Array(this.#memory, this.#used, size)
    this.#used += size
    return bytes
  }

  /** Takes back what was taken last and is not sent. */
  giveBack({ buffer, length }: Uint8Array): void {
    if (buffer === this.#memory) this.#used -= length
  }
}
