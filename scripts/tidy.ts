// Checks what the compiler and Biome do not: that imports point down the layout, that a newcomer finds a head comment
// and a short file, and that nothing unfinished or switched off is left. Part of `make lint`.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const LINES_MAX = 400
const HEAD_LINES_MAX = 40

/**
 * What each part of src may import: parts whole ('base/') or single files. A part may always import itself. The root files
 * daemon.ts and index.ts put everything together.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  base: [],
  store: ['base/'],
  archive: ['base/'],
  vault: ['archive/records.ts', 'store/', 'base/'],
  search: ['vault/', 'store/', 'base/'],
  fs: ['search/', 'vault/', 'store/', 'base/'],
  fuse: ['base/', 'fs/operations.ts', 'store/store.ts'],
  control: ['search/', 'vault/', 'archive/records.ts', 'store/', 'base/'],
  cli: [
    'control/',
    'search/',
    'vault/',
    'archive/',
    'store/open.ts',
    'store/store.ts',
    'base/',
    'daemon.ts',
  ],
}

/** Imports of these from there must be `import type`, but for the names listed. */
const typesOnly: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  fuse: { 'fs/operations.ts': [], 'store/store.ts': ['Fault'] },
}

interface Import {
  readonly line: number
  readonly isType: boolean
  readonly names: string
  readonly target: string
}

const complaints: string[] = []

function complain(file: string, line: number, what: string): void {
  complaints.push(`${file}:${line}: ${what}`)
}

function checkText(file: string, lines: readonly string[]): void {
  // Spelled apart, so that this file may be checked too.
  const unfinished = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`)
  lines.forEach((text, index) => {
    if (/[^\x20-\x7e]/.test(text))
      complain(file, index + 1, 'a character that is not printable ASCII')
    if (unfinished.test(text)) complain(file, index + 1, 'unfinished work')
  })
}

function checkHead(file: string, lines: readonly string[]): void {
  const start = lines[0]?.startsWith('#!') ? 1 : 0
  const length = lines.slice(start).findIndex((line) => !line.startsWith('//'))
  if (length === 0) complain(file, start + 1, 'no head comment')
  if (length > HEAD_LINES_MAX) complain(file, start + 1, `a head comment of ${length} lines`)
}

function checkImports(file: string, text: string): void {
  const part = partOf(file)
  if (part === undefined) return
  for (const { line, isType, names, target } of importsOf(file, text)) {
    if (partOf(target) === part) continue
    const path = target.slice('src/'.length)
    const permitted = (allowed[part] ?? []).some((prefix) =>
      prefix.endsWith('/') ? path.startsWith(prefix) : path === prefix,
    )
    if (!permitted) complain(file, line, `src/${part} must not import ${path}`)
    const values = typesOnly[part]?.[path]
    if (values !== undefined && !isType && !onlyNames(names, values)) {
      complain(file, line, `src/${part} may import only types from ${path}`)
    }
  }
}

/** True when every value in an import's braces is one of `values`; `type X` is no value. */
function onlyNames(names: string, values: readonly string[]): boolean {
  return names
    .replace(/[{}]/g, '')
    .split(',')
    .map((name) => name.trim())
    .every((name) => name === '' || name.startsWith('type ') || values.includes(name))
}

/** The static and dynamic imports of files of the project; `target` is a path from the root. */
function importsOf(file: string, text: string): Import[] {
  const pattern =
    /^(?:import|export)(\s+type)?\s+([^'"]*?)\s*from\s+'(\.[^']*)'|import\('(\.[^']*)'\)/gm
  return [...text.matchAll(pattern)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    isType: match[1] !== undefined,
    names: match[2] ?? '',
    target: normalize(join(dirname(file), match[3] ?? match[4] ?? '')),
  }))
}

/** 'src/fuse/ops.ts' -> 'fuse'; undefined for the root files of src. */
function partOf(file: string): string | undefined {
  const [, part, rest] = file.split('/')
  return rest === undefined ? undefined : part
}

function checkTest(file: string, lines: readonly string[]): void {
  lines.forEach((text, index) => {
    if (/\.(only|skip|todo)\(|\b(only|skip|todo): /.test(text)) {
      complain(file, index + 1, 'a test that is switched off, or switches others off')
    }
  })
}

for (const file of globSync('{src,test,scripts}/**/*.ts').sort()) {
  const text = readFileSync(file, 'utf8')
  const lines = text.split('\n')
  checkText(file, lines)
  checkHead(file, lines)
  if (file.startsWith('src/')) {
    checkImports(file, text)
    if (lines.length - 1 > LINES_MAX)
      complain(file, LINES_MAX, `${lines.length - 1} lines, at most ${LINES_MAX}`)
  }
  if (file.startsWith('test/')) checkTest(file, lines)
}
for (const file of globSync('native/*/{,src/,test/}*.{c,h,cc,rs,js,ts}').sort()) {
  const lines = readFileSync(file, 'utf8').split('\n')
  checkText(file, lines)
  checkHead(file, lines)
}

for (const complaint of complaints) console.error(complaint)
process.exitCode = complaints.length === 0 ? 0 : 1
