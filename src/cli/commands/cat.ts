// `avfs cat`: the bytes of a file as it is or was, as they are.

import type { CommandModule } from 'yargs'
import { printResult, writeBytes } from '../output.ts'
import { ask, type PathArguments, placeOf, withPath } from './path-call.ts'
import { type StateArguments, wantedState, withState } from './state-options.ts'

export const catCommand: CommandModule<object, PathArguments & StateArguments> = {
  command: 'cat <path>',
  describe: 'write a file as it is or was to standard output',
  builder: (yargs) =>
    withState(withPath(yargs))
      .example('$0 cat ~/myproject/notes.txt -v 3', 'version 3, see avfs log')
      .example('$0 cat myproject:/photo.jpg --at yesterday > old.jpg', 'as it was yesterday'),
  handler: async (args) => {
    const state = wantedState(args)
    const place = await placeOf(args.path)
    const parts: Uint8Array[] = []
    const result = await ask(place, 'cat', { path: place.path, state }, (piece) => {
      if (!(piece instanceof Uint8Array)) return undefined
      return args.json === true ? void parts.push(piece) : writeBytes(piece)
    })
    if (args.json === true) {
      printResult(true, { ...result, base64: Buffer.concat(parts).toString('base64') }, '')
    }
  },
}
