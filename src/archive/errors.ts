// The error for an invalid archive.

/**
 * Data that are not an archive, or an archive that is damaged, cut off, or followed by other data.
 * Whatever came whole before that has been passed on.
 */
export class ArchiveError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ArchiveError'
  }
}

export const ENDS_TOO_EARLY = 'the archive ends too early'
