// What make does to files that a running daemon has mapped.

import { readFileSync } from 'node:fs'
import t from 'tap'

t.test('an addon is never written over in place, under a daemon that has it mapped', async (t) => {
  const commands = readFileSync('Makefile', 'utf8').replaceAll('\\\n', ' ').split('\n')
  const copies = commands.filter((line) => /^\t(.* )?cp .*(ADDON|\.node|\$@|\/node")/.test(line))
  t.ok(copies.length > 0)
  for (const copy of copies) t.match(copy, 'cp --remove-destination', copy)
})
