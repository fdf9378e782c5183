// The numbered operations of the crash tests: which one comes next, what it does to the model, and
// how a real directory is made to do it. The same seed gives the same operations in the writer and
// in the oracle.
//
// Each opens, changes and closes a file, so that the file system has every change before the next
// operation begins.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Random } from '../support/random.ts'
import { fileAt, type Model, namesOf, pathsOf } from './model.ts'

export type Operation =
  | { readonly kind: 'create'; readonly path: string; readonly bytes: Buffer }
  | { readonly kind: 'replace'; readonly path: string; readonly bytes: Buffer }
  | { readonly kind: 'append'; readonly path: string; readonly bytes: Buffer }
  | {
      readonly kind: 'overwrite'
      readonly path: string
      readonly offset: number
      readonly bytes: Buffer
    }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rmdir'; readonly path: string }

/** Keeps trees small, so that comparing them stays cheap. */
const NAMES_MAX = 60

/** Inline content, content of some blocks, and now and then more than one request of the kernel. */
export function someBytes(random: Random): Buffer {
  const limit = random.pick([200, 5000, 5000, 20_000, 20_000, 300_000])
  return random.bytes(1 + random.below(limit))
}

/** The operation after those that led to `model`; `number` makes its names new. */
export function nextOperation(random: Random, model: Model, number: number): Operation {
  const files = pathsOf(model, 'file')
  const directories = ['', ...pathsOf(model, 'directory')]
  const fresh = join(random.pick(directories), `n${number}`)
  if (files.length < 3) return { kind: 'create', path: fresh, bytes: someBytes(random) }
  const path = random.pick(files)
  if (model.size > NAMES_MAX) return { kind: 'unlink', path }
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
      return { kind: 'create', path: fresh, bytes: someBytes(random) }
    case 3:
      return { kind: 'replace', path, bytes: someBytes(random) }
    case 4:
      return { kind: 'append', path, bytes: someBytes(random) }
    case 5: {
      const { length } = fileAt(model, path).content
      return { kind: 'overwrite', path, offset: random.below(length + 1), bytes: someBytes(random) }
    }
    case 6:
      return { kind: 'truncate', path, size: random.below(20_000) }
    case 7:
      return { kind: 'chmod', path, mode: 0o600 + random.below(0o200) }
    case 8:
      return { kind: 'rename', path, to: fresh }
    // As an editor saves: the new file over the old one.
    case 9:
      return { kind: 'rename', path, to: random.pick(files) }
    case 10:
      return { kind: 'link', path, to: fresh }
    case 11:
      return random.below(2) === 0
        ? { kind: 'symlink', path: fresh, target: `to/${number}` }
        : { kind: 'mkdir', path: fresh }
    case 12: {
      const parents = new Set([...model.keys()].map((name) => dirname(name)))
      const empty = pathsOf(model, 'directory').filter((name) => !parents.has(name))
      return empty.length > 0
        ? { kind: 'rmdir', path: random.pick(empty) }
        : { kind: 'unlink', path }
    }
    default:
      return { kind: 'unlink', path }
  }
}

function resized(content: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size)
  content.copy(next)
  return next
}

/**
 * Does to the model what `perform` does to a directory. Contents are replaced, never changed in
 * place.
 */
export function apply(model: Model, operation: Operation): void {
  const { path } = operation
  switch (operation.kind) {
    case 'create':
      model.set(path, { kind: 'file', content: operation.bytes, mode: 0o644 })
      break
    case 'replace':
      fileAt(model, path).content = operation.bytes
      break
    case 'append': {
      const file = fileAt(model, path)
      file.content = Buffer.concat([file.content, operation.bytes])
      break
    }
    case 'overwrite': {
      const file = fileAt(model, path)
      const end = operation.offset + operation.bytes.length
      const next = resized(file.content, Math.max(file.content.length, end))
      operation.bytes.copy(next, operation.offset)
      file.content = next
      break
    }
    case 'truncate': {
      const file = fileAt(model, path)
      file.content = resized(file.content, operation.size)
      break
    }
    case 'chmod':
      fileAt(model, path).mode = operation.mode
      break
    case 'rename': {
      const file = fileAt(model, path)
      // rename(2): two names of one file stay as they are.
      if (namesOf(model, file).includes(operation.to)) break
      model.delete(path)
      model.set(operation.to, file)
      break
    }
    case 'link':
      model.set(operation.to, fileAt(model, path))
      break
    case 'symlink':
      model.set(path, { kind: 'symlink', target: operation.target })
      break
    case 'mkdir':
      model.set(path, { kind: 'directory' })
      break
    case 'unlink':
    case 'rmdir':
      model.delete(path)
      break
  }
}

/** Does the operation in a real directory. */
export function perform(dir: string, operation: Operation): void {
  const path = join(dir, operation.path)
  switch (operation.kind) {
    case 'create':
      writeAt(path, 'wx', null, operation.bytes)
      break
    case 'replace':
      writeAt(path, 'w', null, operation.bytes)
      break
    case 'append':
      writeAt(path, 'a', null, operation.bytes)
      break
    case 'overwrite':
      writeAt(path, 'r+', operation.offset, operation.bytes)
      break
    case 'truncate':
      withFile(path, 'r+', (fd) => ftruncateSync(fd, operation.size))
      break
    case 'chmod':
      chmodSync(path, operation.mode)
      break
    case 'rename':
      renameSync(path, join(dir, operation.to))
      break
    case 'link':
      linkSync(path, join(dir, operation.to))
      break
    case 'symlink':
      symlinkSync(operation.target, path)
      break
    case 'mkdir':
      mkdirSync(path)
      break
    case 'unlink':
      unlinkSync(path)
      break
    case 'rmdir':
      rmdirSync(path)
      break
  }
}

/** fsync of the directory: by the vault's promise it covers all that was done before it. */
export function sync(dir: string): void {
  withFile(dir, 'r', fsyncSync)
}

function withFile(path: string, flags: string, use: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o644)
  try {
    use(fd)
  } finally {
    closeSync(fd)
  }
}

function writeAt(path: string, flags: string, offset: number | null, bytes: Buffer): void {
  withFile(path, flags, (fd) => {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(
        fd,
        bytes,
        done,
        bytes.length - done,
        offset === null ? null : offset + done,
      )
    }
  })
}
