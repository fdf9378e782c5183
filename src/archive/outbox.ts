// Collects outgoing records into pieces that are large enough for a call each.

const PIECE_BYTES = 512 * 1024

export class Outbox {
  readonly #send: (piece: Buffer) => Promise<void>
  #records: Buffer[] = []
  #bytes = 0

  constructor(send: (piece: Buffer) => Promise<void>) {
    this.#send = send
  }

  /** Resolves when the next one may be pushed. */
  async push(record: Buffer): Promise<void> {
    this.#records.push(record)
    this.#bytes += record.length
    if (this.#bytes >= PIECE_BYTES) await this.flush()
  }

  /** Sends the rest. */
  async flush(): Promise<void> {
    if (this.#bytes === 0) return
    const piece = Buffer.concat(this.#records)
    this.#records = []
    this.#bytes = 0
    await this.#send(piece)
  }
}
