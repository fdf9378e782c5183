// Compares the tables of src/fuse with what the C compiler makes of linux/fuse.h. The header of a
// distribution may be older than the tables: what it does not have is not compared.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import * as abi from '../../src/fuse/abi.ts'
import * as layout from '../../src/fuse/layout.ts'
import { operationTable } from '../../src/fuse/ops.ts'
import type { Struct } from '../../src/fuse/struct.ts'

const header = readFileSync('/usr/include/linux/fuse.h', 'utf8')
const structs = Object.values(layout).filter((value): value is Struct => typeof value === 'object')
const constants = Object.entries(abi).filter(
  ([name]) => !/_MIN$|_OPCODES$|^STATX|KERNEL_MINOR/.test(name),
)

/** Runs a C program of these print statements; returns its lines. */
function compile(statements: readonly string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'avfs-layout-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const source = join(directory, 'layout.c')
  const lines = ['#include <linux/fuse.h>', '#include <stddef.h>', '#include <stdio.h>']
  writeFileSync(source, [...lines, 'int main(void) {', ...statements, '}'].join('\n'))
  execFileSync('cc', ['-o', join(directory, 'layout'), source])
  const output = execFileSync(join(directory, 'layout'), { encoding: 'utf8' })
  return output.trimEnd().split('\n')
}

t.test('every struct has the size and the offsets that the C compiler gives it', async (t) => {
  const statements: string[] = []
  const expected: string[] = []
  for (const { name, size, fields } of structs) {
    const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(header)?.[1]
    if (body === undefined) continue
    // A record's name follows it without a length of its own, and sizeof includes its padding only.
    statements.push(`printf("${name} %zu\\n", sizeof(struct ${name}));`)
    expected.push(`${name} ${size}`)
    for (const field of fields) {
      if (!new RegExp(`\\b${field.name}\\b`).test(body)) continue
      const path = `${name}.${field.name}`
      statements.push(`printf("${path} %zu\\n", offsetof(struct ${name}, ${field.name}));`)
      expected.push(`${path} ${field.offset}`)
    }
  }
  t.ok(expected.length > 200, 'the header has nearly all of them')
  t.strictSame(compile(statements), expected)
})

t.test('every constant has the value of the header', async (t) => {
  const present = constants.filter(([name]) => new RegExp(`\\b${name}\\b`).test(header))
  t.ok(present.length >= 80, 'the header has nearly all of them')
  const statements = present.map(([name]) => `printf("${name} %lld\\n", (long long)${name});`)
  const expected = present.map(([name, value]) => `${name} ${value}`)
  t.strictSame(compile(statements), expected)
})

t.test('every opcode of the header has a row, under its name', async (t) => {
  const body = /enum fuse_opcode \{([^}]*)\}/.exec(header)?.[1] ?? ''
  const opcodes = [...body.matchAll(/\bFUSE_(\w+)\s*=\s*(\d+)/g)]
  t.ok(opcodes.length > 45)
  for (const [, name, opcode] of opcodes) {
    if (name?.endsWith('BSWAP_RESERVED')) continue
    t.equal(operationTable[Number(opcode)]?.name, name)
  }
})

t.test('the structs that older headers lack have the sizes of the kernel', async (t) => {
  t.equal(layout.fuse_statx_in.size, 24)
  t.equal(layout.fuse_statx.size, 256)
  t.equal(layout.fuse_statx_out.size, 288)
  t.equal(layout.fuse_statx_out.offsets.stat, 32)
  t.equal(layout.fuse_copy_file_range_out.size, 8)
})
