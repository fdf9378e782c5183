// What is wrong with an archive that is read.

/**
 * An archive that is none, is damaged, or ends too early or goes on; what came whole before that
 * was handed over.
 */
export class ArchiveError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ArchiveError'
  }
}

export const ENDS_TOO_EARLY = 'the archive ends too early'
