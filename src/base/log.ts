// Writes one line per event to standard error (or the daemon's log file): time, level, message,
// cause. Control characters in names and foreign errors are escaped, so that nobody can forge lines
// or control a terminal. Knows nothing of files; the process's entry point decides where lines go.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
/**
 * Takes lines, each of which ends in a newline. 'trace' lines were requested by the user who
 * started the process.
 */
export type LogSink = (line: string, level: LogLevel | 'trace') => void

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }
/**
 * Characters that may change how a line is displayed: controls, formats such as those for
 * direction, line separators.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
/** Longer messages are cut off; two paths fit. */
const MESSAGE_LENGTH_MAX = 10_000
const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

let threshold: LogLevel = 'info'
let sink: LogSink = (line) => process.stderr.write(line)

/** Sets the lowest level that is written and, if given, where lines go (each ends in a newline). */
export function setLog(level: LogLevel, write?: LogSink): void {
  threshold = level
  if (write !== undefined) sink = write
}

/** Writes one line; an error given as cause adds its message, its stack and the causes below it. */
export function log(level: LogLevel, message: string, cause?: unknown): void {
  if (ranks[level] < ranks[threshold]) return
  const why = cause === undefined ? '' : `: ${explain(cause)}`
  sink(`${new Date().toISOString()} ${level} ${printable(message)}${why}\n`, level)
}

/** Writes a line of a trace, at any level and without a limit. */
export function logTrace(message: string): void {
  sink(`${new Date().toISOString()} info ${printable(message)}\n`, 'trace')
}

/** The text as one line, without anything that controls a terminal. */
function printable(text: string): string {
  const cut = text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX)} ...` : text
  return cut.replace(UNPRINTABLE, (char) => {
    const code = char.codePointAt(0) ?? 0
    const hex = code.toString(16)
    return escapes[char] ?? (code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`)
  })
}

function explain(cause: unknown): string {
  if (!(cause instanceof Error)) return printable(String(cause))
  // The stack begins with the message, whose text may forge lines: only frames are taken from it.
  const { stack = '', name, message } = cause
  const frames = stack.split('\n').filter((line) => /^ {4}at /.test(line))
  const own = [printable(`${name}: ${message}`), ...frames.map(printable)].join('\n')
  return cause.cause === undefined ? own : `${own}\ncaused by ${explain(cause.cause)}`
}
