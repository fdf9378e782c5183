// Sequences that steer a terminal, within a text: colours, titles, links, movements of the cursor.
// What they are made of is no word. ECMA-48 and xterm's "Control Sequences" say how they look.

const ESCAPE = 0x1b
/** The one-character forms of ESC [ and ESC ]. */
const CSI = 0x9b
const OSC = 0x9d
/** Longer ones are none, so that a lone beginning hides no text. */
const LENGTH_MAX = 4096

/** Patterns are made of text: control characters in a pattern itself look like mistakes. */
const ESC = '\\u001b'
const END = '(?:\\u0007|\\u001b\\\\|\\u009c)'
/** Parameters, then what it does. */
const csi = new RegExp(`(?:${ESC}\\[|\\u009b)[0-?]*[ -/]*[@-~](?!\\p{M})`, 'yu')
/** A title, a link and the like: up to BEL or ST, on one line. */
const titled = new RegExp(
  `(?:${ESC}[\\]P^_X]|\\u009d)[^\\u0007\\u001b\\u009c\\u009d\\r\\n]*${END}`,
  'y',
)
/** Character sets, keypad, save and restore; those of one letter are more often no sequence. */
const short = new RegExp(`${ESC}(?:[()*+][0AB]|[78=>])(?!\\p{M})`, 'yu')
/**
 * Attributes of characters, and the erasure of what is behind: what stands on both sides is next to
 * each other.
 */
const leavesGap = /[^mK]$/

/** Whether a sequence may begin with this code. */
export function mayBeEscape(code: number): boolean {
  return code === ESCAPE || code === CSI || code === OSC
}

/** Where the sequence that begins at `index` ends; `index` when there is none. */
export function endOfEscape(source: string, index: number): number {
  return match(source, index)?.end ?? index
}

/**
 * Where a row of sequences ends that leaves what is before and behind it next to each other;
 * `index` when there is none.
 */
export function endOfInvisible(source: string, index: number): number {
  let end = index
  for (let found = match(source, end); found?.isJoining === true; found = match(source, end))
    end = found.end
  return end
}

function match(source: string, index: number): { end: number; isJoining: boolean } | undefined {
  if (!mayBeEscape(source.charCodeAt(index))) return undefined
  const control = matchedAt(csi, source, index)
  if (control !== undefined)
    return { end: index + control.length, isJoining: !leavesGap.test(control) }
  const long = matchedAt(titled, source, index)
  if (long !== undefined) return { end: index + long.length, isJoining: true }
  const brief = matchedAt(short, source, index)
  return brief === undefined ? undefined : { end: index + brief.length, isJoining: true }
}

function matchedAt(pattern: RegExp, source: string, index: number): string | undefined {
  pattern.lastIndex = index
  const found = pattern.exec(source)?.[0]
  return found !== undefined && found.length <= LENGTH_MAX ? found : undefined
}
