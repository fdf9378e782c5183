// `avfs diff`: what changed in a file or directory between two states, as diff(1) and patch(1)
// write it.

import type { CommandModule } from 'yargs'
import { isDirectory } from '../../base/mode.ts'
import type { Difference, Side, Wanted } from '../../control/methods/method-types.ts'
import { toBytes, toText } from '../../control/wire/byte-strings.ts'
import type { Piece } from '../../control/wire/protocol.ts'
import { namesOf } from '../../vault/history/paths.ts'
import { UsageError } from '../errors.ts'
import { printResult, writeBytes } from '../output.ts'
import { quotedName } from '../terminal.ts'
import { unifiedDiff } from '../unified.ts'
import { ask, type PathArguments, placeOf, withPath, writtenBack } from './path-call.ts'
import { type StateArguments, versionNumber, wantedState, withState } from './state-options.ts'

export const diffCommand: CommandModule<object, PathArguments & StateArguments> = {
  command: 'diff <path>',
  describe: 'show what changed in a file or directory',
  builder: (yargs) =>
    withState(withPath(yargs), true)
      .example('$0 diff ~/myproject/notes.txt', 'what the last save changed')
      .example('$0 diff ~/myproject/notes.txt -v 3..5', 'from version 3 to version 5')
      .example('$0 diff ~/myproject/src --at 2h | patch -p1 -R', 'back to two hours ago'),
  handler: async (args) => {
    const { before, after } = sidesOf(args)
    const place = await placeOf(args.path)
    await writtenBack(place)
    const name = namesOf(place.path).at(-1) ?? ''
    const parameters = { path: place.path, before, after }
    const found: Found[] = []
    const taker = pairing(name, (difference) => {
      if (args.json === true) return void found.push(difference)
      return writeBytes(Buffer.from(difference.text, 'latin1'))
    })
    await ask(place, 'compare', parameters, taker)
    if (args.json === true) printResult(true, found.map(toJson), '')
  },
}

/** A difference in words. `text` is a byte string: what diff(1) would print. */
interface Found {
  readonly difference: Difference
  readonly text: string
}

function sidesOf(args: StateArguments): {
  before: Wanted | undefined
  after: Wanted | undefined
} {
  const [from, to, ...rest] = args.number?.split('..') ?? []
  if (to === undefined) return { before: wantedState(args), after: undefined }
  if (rest.length > 0) throw new UsageError('-v takes N or N..M')
  return {
    before: { version: versionNumber(from ?? '') },
    after: { version: versionNumber(to) },
  }
}

/** Collects the bytes that follow a difference, and passes it on when they are complete. */
function pairing(
  name: string,
  take: (found: Found) => Promise<void> | undefined,
): (piece: Piece<Difference>) => Promise<void> | undefined {
  let current: Difference | undefined
  let parts: Uint8Array[] = []
  let missing = 0
  const complete = (difference: Difference): Promise<void> | undefined => {
    const bytes = Buffer.concat(parts).toString('latin1')
    const text = difference.text ? textOf(name, difference, bytes) : noteOf(name, difference)
    return take({ difference, text: modeLine(name, difference) + text })
  }
  return (piece) => {
    if (piece instanceof Uint8Array) {
      parts.push(piece)
      missing -= piece.length
    } else {
      current = piece.item
      parts = []
      missing = current.text ? (current.before?.size ?? 0) + (current.after?.size ?? 0) : 0
    }
    return missing === 0 && current !== undefined ? complete(current) : undefined
  }
}

function textOf(name: string, { path, before, after }: Difference, bytes: string): string {
  const cut = before?.size ?? 0
  return unifiedDiff(bytes.slice(0, cut), bytes.slice(cut), {
    before: label('a', name, path, before),
    after: label('b', name, path, after),
  })
}

/** A name within a byte string. */
function nameShown(bytes: string): string {
  return process.stdout.isTTY ? toBytes(quotedName(bytes)) : bytes
}

/**
 * As diff -r: names below the compared directory; a tab keeps the time from being taken for a part
 * of the name.
 */
function label(side: string, name: string, path: string, content: Side | null): string {
  if (content === null) return '/dev/null'
  const time = new Date(content.mtime * 1000).toISOString().replace('T', ' ').slice(0, 19)
  return `${nameShown(`${side}/${path === '' ? name : path}`)}\t${time} +0000`
}

function noteOf(name: string, { path, before, after, binary }: Difference): string {
  const shown = path === '' ? name : path
  if (binary && before !== null && after !== null) {
    return `Binary files ${nameShown(`a/${shown}`)} and ${nameShown(`b/${shown}`)} differ\n`
  }
  if (before === null) return `Only after: ${nameShown(`${shown}${suffix(after)}`)}\n`
  if (after === null) return `Only before: ${nameShown(`${shown}${suffix(before)}`)}\n`
  return ''
}

function suffix(side: Side | null): string {
  return side !== null && isDirectory(side.mode) ? '/' : ''
}

function modeLine(name: string, { path, before, after }: Difference): string {
  if (before === null || after === null || before.mode === after.mode) return ''
  const shown = path === '' ? name : path
  return `Mode of ${nameShown(shown)}: ${before.mode.toString(8)} before, ${after.mode.toString(8)} after\n`
}

function toJson({ difference, text }: Found): object {
  return { ...difference, path: toText(difference.path), diff: toText(text) }
}
