// Checks what the compiler and Biome do not: that imports point down the layout, that files have a
// head comment and are short, and that no unfinished or disabled code is left. Part of `make lint`.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const LINES_MAX = 400
const HEAD_LINES_MAX = 40

/**
 * What each part of src may import: parts whole ('base/') or single files. A part may always import
 * itself. `index.ts` puts everything together.
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
  daemon: [
    'control/',
    'fuse/',
    'fs/',
    'search/',
    'vault/',
    'archive/records.ts',
    'store/retry.ts',
    'base/',
  ],
  cli: [
    'control/',
    'search/',
    'vault/',
    'archive/',
    'store/open.ts',
    'store/store.ts',
    'base/',
    'daemon/daemon.ts',
  ],
}

/**
 * The rooms of a part, from the top down: a file imports from its own room and from those after it.
 * `''`: the part's own files.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  vault: ['transfer', '', 'check', 'prune', 'history', 'content', 'tree', 'core'],
  control: ['', 'offline', 'methods', 'vaults', 'host', 'wire'],
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

/** Files of src, and those that each imports. */
const graph = new Map<string, string[]>()

function checkImports(file: string, text: string): void {
  const imports = importsOf(file, text)
  graph.set(
    file,
    imports.map(({ target }) => target),
  )
  const part = partOf(file)
  if (part === undefined) return
  for (const { line, isType, names, target } of imports) {
    if (partOf(target) === part) {
      checkRoom(file, line, target)
      continue
    }
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

function checkRoom(file: string, line: number, target: string): void {
  const order = rooms[partOf(file) ?? '']
  if (order === undefined) return
  const [from, to] = [roomOf(file), roomOf(target)]
  if (!order.includes(from)) complain(file, 1, `a room that scripts/tidy.ts does not know: ${from}`)
  if (order.indexOf(to) < order.indexOf(from))
    complain(file, line, `${from} must not import ${to}, which is above it`)
}

/** 'src/vault/core/core.ts' -> 'core'; '' for what lies in no room. */
function roomOf(file: string): string {
  const [, , room, rest] = file.split('/')
  return rest === undefined ? '' : (room ?? '')
}

/**
 * Complains of files that import each other around a circle, types too: none of them can be read by
 * itself.
 */
function checkCircles(): void {
  const done = new Set<string>()
  const path: string[] = []
  function visit(file: string): void {
    const start = path.indexOf(file)
    if (start >= 0) complain(file, 1, `a circle: ${[...path.slice(start), file].join(' -> ')}`)
    if (start >= 0 || done.has(file)) return
    path.push(file)
    for (const target of graph.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
}

/** Started by name, as threads, programs or the library. */
const entries = new Set([
  'src/index.ts',
  'src/cli/start.ts',
  'src/daemon/daemon.ts',
  'src/daemon/echo-child.ts',
  'src/search/worker.ts',
])

/** Complains of files that nobody imports, and of exports that nobody uses. */
function checkUse(texts: ReadonlyMap<string, string>): void {
  const imported = new Set([...graph.values()].flat())
  const words = new Map<string, Set<string>>()
  for (const [file, text] of texts)
    for (const word of new Set(text.match(/[A-Za-z_$][\w$]*/g)))
      words.set(word, (words.get(word) ?? new Set()).add(file))
  for (const [file, text] of texts) {
    if (!file.startsWith('src/')) continue
    if (!imported.has(file) && !entries.has(file) && !isStartedByName(file))
      complain(file, 1, 'nobody imports this file')
    if (file === 'src/index.ts') continue
    for (const [, name = ''] of text.matchAll(EXPORT))
      if (words.get(name)?.size === 1) complain(file, 1, `nobody uses the export ${name}`)
  }
}

const EXPORT =
  /^export (?:async )?(?:abstract )?(?:const|let|function\*?|class|interface|type) ([\w$]+)/gm

/** Threads of a store are started by the name of their file beside it. */
function isStartedByName(file: string): boolean {
  return /-thread\.ts$|-worker\.ts$/.test(file)
}

/** How many files and arrows each part has, and which other parts it points to. */
function printSheet(): void {
  for (const part of [...new Set([...graph.keys()].map(partOf))].sort()) {
    const files = [...graph.keys()].filter((file) => partOf(file) === part)
    const targets = files.flatMap((file) => graph.get(file) ?? [])
    const others = new Set(targets.map(partOf).filter((other) => other !== part))
    console.log(
      `${(part ?? 'src').padEnd(8)} ${String(files.length).padStart(4)} files ${String(targets.length).padStart(5)} arrows  -> ${[...others].sort().join(' ')}`,
    )
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

const texts = new Map<string, string>()
for (const file of globSync('{src,test,scripts}/**/*.ts').sort()) {
  const text = readFileSync(file, 'utf8')
  texts.set(file, text)
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

checkCircles()
checkUse(texts)
printSheet()
for (const complaint of complaints) console.error(complaint)
process.exitCode = complaints.length === 0 ? 0 : 1
