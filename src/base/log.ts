// One line an event on standard error (or the daemon's log file): time, level, message, cause.
// Knows nothing of files; whoever starts the process says where lines go.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }

let threshold: LogLevel = 'info'
let sink: (line: string) => void = (line) => process.stderr.write(line)

/** Sets the lowest level that is written and, if given, where lines go (each ends in a newline). */
export function setLog(level: LogLevel, write?: (line: string) => void): void {
  threshold = level
  if (write !== undefined) sink = write
}

/** Writes one line; an error given as cause adds its message, its stack and the causes below it. */
export function log(level: LogLevel, message: string, cause?: unknown): void {
  if (ranks[level] < ranks[threshold]) return
  sink(
    `${new Date().toISOString()} ${level} ${message}${cause === undefined ? '' : `: ${explain(cause)}`}\n`,
  )
}

function explain(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const own = cause.stack ?? `${cause.name}: ${cause.message}`
  return cause.cause === undefined ? own : `${own}\ncaused by ${explain(cause.cause)}`
}
